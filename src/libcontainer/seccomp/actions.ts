import { Fault } from "#errors";

/** Values of SECCOMP_RET_*; those with an errno carry it in the low half. Source: Linux, include/uapi/linux/seccomp.h. */
const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0x0000_0000,
  SCMP_ACT_KILL_THREAD: 0x0000_0000,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
};

export const KILL_PROCESS = 0x8000_0000;
const ENOSYS = 38;
const EPERM = 1;

export const NO_SUCH_CALL = 0x0005_0000 | ENOSYS;

const WITH_ERRNO = new Set(["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"]);

/** What a filter returns for an action. Throws `invalid` for an unknown one. */
export function actionValue(action: string, errno = EPERM): number {
  const value = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (value === undefined)
    throw new Fault(
      "invalid",
      `Cannot use the seccomp action "${action}": it is none of ${Object.keys(ACTIONS).join(", ")}`,
    );
  return WITH_ERRNO.has(action) ? value | (errno & 0xffff) : value;
}

/** Whether an action lets the call happen, so that it suits calls that nobody knew of when the profile was written. */
export function isLenient(action: string): boolean {
  return action === "SCMP_ACT_ALLOW" || action === "SCMP_ACT_LOG" || action === "SCMP_ACT_TRACE";
}
