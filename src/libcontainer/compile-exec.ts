import { readFileSync, readlinkSync } from "node:fs";
import { Fault } from "#errors";
import { type Cgroups, detectCgroups, hierarchyOf, parseProcessGroups } from "./cgroups/detect.ts";
import { OWN_PREFIX, TELLING } from "./cgroups/own-group.ts";
import { processSteps } from "./compile-process.ts";
import type { HostStep, Namespace, Plan } from "./plan.ts";
import type { ProcessSpec } from "./spec.ts";

/** Kernel's names in /proc/PID/ns, in the order in which they are joined. */
const NAMESPACES: readonly Namespace[] = ["user", "cgroup", "ipc", "uts", "net", "pid", "time", "mnt"];

export interface ExecPlanRequest {
  readonly process: ProcessSpec;
  /** The container's first process, as the host sees it. */
  readonly pid: number;
  /** The end of a name: in a group of this name below the container's, all of it can be found and ended. */
  readonly ownGroup?: string;
}

/**
 * Steps for one more process in a running container: into the groups and namespaces in which its first process
 * is now, as the kernel tells, and then as any other. Throws `conflict` when that process has gone.
 */
export function compileExecPlan(
  request: ExecPlanRequest,
  options: { readonly cgroups?: Cgroups } = {},
): Plan {
  const { process, pid, ownGroup } = request;
  const cgroups = options.cgroups ?? detectCgroups();
  return [
    ...groupJoins(cgroups, { pid, ...(ownGroup !== undefined && { ownGroup }) }),
    ...foreignNamespaces(pid).map(
      (namespace): HostStep => ({ op: "join", namespace, path: `/proc/${pid}/ns/${namespace}` }),
    ),
    { op: "clone", namespaces: [] },
    ...idMap(pid),
    ...(process.terminal ? [{ op: "console" } as const] : []),
    ...processSteps(process, { profile: process.seccomp, makesDirectory: false }),
  ];
}

/** Of the user namespace that the process is in, if it is not this one's. */
function idMap(pid: number): readonly HostStep[] {
  if (namespaceOf("self", "user") === namespaceOf(String(pid), "user")) return [];
  try {
    const [uid = "", gid = ""] = ["uid_map", "gid_map"].map((name) =>
      readFileSync(`/proc/${pid}/${name}`, "utf8"),
    );
    return [{ op: "id-map", uid, gid }];
  } catch (cause) {
    throw new Fault("conflict", `Cannot join the user namespace of process ${pid}: it has ended`, { cause });
  }
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

/** Those that give a process a group of its own below its container's. */
export function ownGroupSteps(
  cgroups: Cgroups,
  container: { readonly pid: number; readonly ownGroup: string },
): readonly HostStep[] {
  const isOwn = (step: HostStep) =>
    "path" in step && step.path.endsWith(`/${OWN_PREFIX}${container.ownGroup}`);
  return groupJoins(cgroups, container).filter(isOwn);
}

function groupJoins(
  cgroups: Cgroups,
  { pid, ownGroup }: Pick<ExecPlanRequest, "pid" | "ownGroup">,
): readonly HostStep[] {
  if (cgroups.version === 0) return [];
  const groups = parseProcessGroups(groupsText(pid));
  const tops =
    cgroups.version === 2
      ? [{ controllers: [""], mountpoint: cgroups.mountpoint }]
      : cgroups.hierarchies.map(({ controllers, mountpoint }) => ({ controllers, mountpoint }));
  const telling = hierarchyOf(cgroups, TELLING);
  return tops.flatMap(({ controllers, mountpoint }): HostStep[] => {
    const path = groups.get(controllers.join(","));
    if (path === undefined) return [];
    const directory = `${mountpoint}${path}`;
    if (ownGroup === undefined || mountpoint !== telling) return [{ op: "cgroup-join", path: directory }];
    const own = `${directory}/${OWN_PREFIX}${ownGroup}`;
    return [
      { op: "cgroup", path: own },
      { op: "cgroup-join", path: own },
    ];
  });
}

function groupsText(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "utf8");
  } catch (cause) {
    throw new Fault("conflict", `Cannot join the groups of process ${pid}: it has ended`, { cause });
  }
}
