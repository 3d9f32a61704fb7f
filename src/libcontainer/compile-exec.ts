import { readFileSync, readlinkSync } from "node:fs";
import { Fault } from "#errors";
import { type Cgroups, detectCgroups, parseProcessGroups } from "./cgroups/detect.ts";
import { processSteps } from "./compile-process.ts";
import type { HostStep, Namespace, Plan } from "./plan.ts";
import type { ProcessSpec } from "./spec.ts";

/** Kernel's names in /proc/PID/ns, in the order in which they are joined. */
const NAMESPACES: readonly Namespace[] = ["user", "cgroup", "ipc", "uts", "net", "pid", "time", "mnt"];

export interface ExecPlanRequest {
  readonly process: ProcessSpec;
  /** The container's first process, as the host sees it. */
  readonly pid: number;
}

/**
 * Steps for one more process in a running container: into the groups and namespaces in which its first process
 * is now, as the kernel tells, and then as any other. Throws `conflict` when that process has gone.
 */
export function compileExecPlan(
  request: ExecPlanRequest,
  options: { readonly cgroups?: Cgroups } = {},
): Plan {
  const { process, pid } = request;
  return [
    ...groupJoins(pid, options.cgroups ?? detectCgroups()),
    ...foreignNamespaces(pid).map(
      (namespace): HostStep => ({ op: "join", namespace, path: `/proc/${pid}/ns/${namespace}` }),
    ),
    { op: "clone", namespaces: [] },
    ...(process.terminal ? [{ op: "console" } as const] : []),
    ...processSteps(process, { profile: process.seccomp, makesDirectory: false }),
  ];
}

/** The namespaces in which a process is and this one is not. */
export function foreignNamespaces(pid: number): readonly Namespace[] {
  return NAMESPACES.filter((namespace) => {
    const own = namespaceOf("self", namespace);
    return own !== undefined && namespaceOf(String(pid), namespace) !== own;
  });
}

/** `net:[4026531840]`; undefined where the kernel has no such namespace, `conflict` for a process that has gone. */
function namespaceOf(pid: string, namespace: Namespace): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${namespace}`);
  } catch (cause) {
    if (pid === "self") return undefined;
    throw new Fault("conflict", `Cannot join the namespaces of process ${pid}: it has ended`, { cause });
  }
}

function groupJoins(pid: number, cgroups: Cgroups): readonly HostStep[] {
  if (cgroups.version === 0) return [];
  const groups = parseProcessGroups(groupsText(pid));
  const tops =
    cgroups.version === 2
      ? [{ key: "", mountpoint: cgroups.mountpoint }]
      : cgroups.hierarchies.map(({ controllers, mountpoint }) => ({
          key: controllers.join(","),
          mountpoint,
        }));
  return tops.flatMap(({ key, mountpoint }): HostStep[] => {
    const path = groups.get(key);
    return path === undefined ? [] : [{ op: "cgroup-join", path: `${mountpoint}${path}` }];
  });
}

function groupsText(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "utf8");
  } catch (cause) {
    throw new Fault("conflict", `Cannot join the groups of process ${pid}: it has ended`, { cause });
  }
}
