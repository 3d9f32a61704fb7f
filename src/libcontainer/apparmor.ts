import { readFileSync } from "node:fs";
import { findProgram, tryRun } from "#host";

/** The profile of containers that ask for no other. */
export const DEFAULT_APPARMOR_PROFILE = "bunker-default";

let enabled: boolean | undefined;

/** Whether this kernel confines programs by AppArmor profiles: settled when it boots. */
export function isAppArmorEnabled(): boolean {
  enabled ??= tryRead("/sys/module/apparmor/parameters/enabled").startsWith("Y");
  return enabled;
}

/** Whether the kernel knows a profile: only then can a program be started under it. */
export function isProfileLoaded(name: string): boolean {
  return tryRead("/sys/kernel/security/apparmor/profiles")
    .split("\n")
    .some((line) => line.slice(0, line.lastIndexOf(" (")) === name);
}

export type LoadedProfile = { readonly loaded: true } | { readonly loaded: false; readonly reason: string };

/** Hands the default profile to the kernel, by the host's apparmor_parser, which alone speaks its language. Never throws. */
export async function loadDefaultProfile(): Promise<LoadedProfile> {
  if (!isAppArmorEnabled()) return { loaded: false, reason: "AppArmor is not enabled in this kernel" };
  if (findProgram("apparmor_parser") === undefined)
    return {
      loaded: false,
      reason: "apparmor_parser is not installed, so containers run without an AppArmor profile",
    };
  const { code, stderr } = await tryRun(["apparmor_parser", "--replace", "--skip-cache"], {
    input: profileText(),
  });
  known = code === 0;
  const reason = stderr.trim().split("\n").at(-1) ?? "";
  return code === 0
    ? { loaded: true }
    : { loaded: false, reason: `apparmor_parser refused the profile: ${reason}` };
}

/**
 * What files and calls are denied on top of capabilities, filter and masks, should one of these fail: the parts of
 * /proc and /sys that steer the host, mounting, and the socket family that no filter can see through socketcall.
 */
export function profileText(name = DEFAULT_APPARMOR_PROFILE): string {
  return `#include <tunables/global>
profile ${name} flags=(attach_disconnected,mediate_deleted) {
  #include <abstractions/base>
  network,
  deny network alg,
  capability,
  file,
  umount,
  deny mount,
  signal (receive) peer=unconfined,
  signal (send,receive) peer=${name},
  ptrace (trace,read,tracedby,readby) peer=${name},
  deny @{PROC}/[^0-9]* w,
  deny @{PROC}/[^0-9s]*/** w,
  deny @{PROC}/s[^y]*/** w,
  deny @{PROC}/sys[^/]*/** w,
  deny @{PROC}/sys/[^k]** w,
  deny @{PROC}/sys/k[^e]** w,
  deny @{PROC}/sys/kernel/[^s]** w,
  deny @{PROC}/sys/kernel/s[^h]** w,
  deny @{PROC}/sys/kernel/sh[^m]** w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
`;
}

let known: boolean | undefined;

/** The name of the default profile, once the kernel has it; undefined means containers go without. */
export function defaultAppArmorProfile(): string | undefined {
  known ??= isAppArmorEnabled() && isProfileLoaded(DEFAULT_APPARMOR_PROFILE);
  return known ? DEFAULT_APPARMOR_PROFILE : undefined;
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
