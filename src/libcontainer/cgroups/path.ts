import { readFileSync } from "node:fs";
import { type Cgroups, parseProcessGroups } from "./detect.ts";

/**
 * Where a container's groups are below the top of every hierarchy, without a leading slash. A path that begins with
 * one is meant from the top already, any other from the engine's own parent group.
 */
export function groupPath(cgroupsPath: string, parent: string): string {
  const whole = cgroupsPath.startsWith("/") ? cgroupsPath : `${parent}/${cgroupsPath}`;
  return whole
    .split("/")
    .filter((part) => part !== "")
    .join("/");
}

/** The hierarchies that hold a container at its plain path, best first; the last is that of v2. */
const TELLING = ["pids", "cpuacct", "freezer", "memory", "name=systemd", ""];

/** Where a process is now, for a container whose path nobody remembers; undefined when it has gone. */
export function groupPathOfProcess(cgroups: Cgroups, pid: number): string | undefined {
  if (cgroups.version === 0) return undefined;
  const groups = [...parseProcessGroups(tryRead(`/proc/${pid}/cgroup`))];
  for (const controller of cgroups.version === 2 ? [""] : TELLING) {
    const path = groups.find(([controllers]) => controllers.split(",").includes(controller))?.[1];
    if (path !== undefined) return path.slice(1);
  }
  return undefined;
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
