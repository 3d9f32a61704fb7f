import { capabilityMask, hostCapabilities } from "./capabilities.ts";
import type { ChildStep } from "./plan.ts";
import { rlimitNumber } from "./rlimits.ts";
import { compileSeccomp } from "./seccomp/compile.ts";
import type { ProcessSpec, SeccompProfile } from "./spec.ts";

/** Source: seccomp(2). */
const SECCOMP_FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
};

/** Without it, filtered programs run with slower branch prediction on kernels before 5.16. */
const DEFAULT_FLAGS = ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"];

/**
 * What a process becomes before its exec, the same for a container's first process and for those that join it.
 * A filter can be installed with CAP_SYS_ADMIN or under no_new_privs only, so without the latter it goes
 * in while the former is still held, and last otherwise.
 */
export function processSteps(
  process: ProcessSpec,
  options: {
    readonly profile: SeccompProfile | undefined;
    /** A missing working directory is made for a container's first process, and a fault for those that join. */
    readonly makesDirectory: boolean;
  },
): readonly ChildStep[] {
  const { profile, makesDirectory } = options;
  const filter: ChildStep[] =
    profile === undefined
      ? []
      : [{ op: "seccomp", program: compileSeccomp(profile), flags: seccompFlags(profile) }];
  const mask = capabilityMask(process.capabilities) & hostCapabilities();
  return [
    ...limitSteps(process),
    { op: "oom-score", adjust: process.oomScoreAdj },
    { op: "umask", mask: 0o022 },
    ...(process.noNewPrivileges ? [{ op: "no-new-privileges" } as const] : []),
    ...(process.apparmorProfile === undefined || process.apparmorProfile === ""
      ? []
      : [{ op: "apparmor", profile: process.apparmorProfile } as const]),
    { op: "chdir", target: process.cwd === "" ? "/" : process.cwd, make: makesDirectory },
    ...(process.noNewPrivileges ? [] : filter),
    { op: "capabilities", bounding: mask, permitted: mask, effective: mask },
    { op: "user", user: process.user, groups: process.additionalGroups },
    ...(process.noNewPrivileges ? filter : []),
    { op: "exec", args: process.args, env: process.env, init: process.init },
  ];
}

/** TSYNC means nothing to a process with one thread. */
function seccompFlags({ flags = DEFAULT_FLAGS }: SeccompProfile): number {
  return flags.reduce((bits, name) => bits | (SECCOMP_FLAGS[name] ?? 0), 0);
}

/** A limit that asks for more than this host's hard limit needs CAP_SYS_RESOURCE; defaults may then go without. */
function limitSteps({ rlimits }: ProcessSpec): readonly ChildStep[] {
  return rlimits.flatMap(({ type, soft, hard, isDefault }): ChildStep[] => {
    const resource = rlimitNumber(type);
    return resource === undefined
      ? []
      : [{ op: "rlimit", resource, soft, hard, ...(isDefault ? { optional: true } : {}) }];
  });
}
