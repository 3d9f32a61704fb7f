import { readdirSync, rmdirSync } from "node:fs";
import type { Cgroups } from "./detect.ts";
import { tryReadSetting } from "./files.ts";
import { CONFINED, groupPaths } from "./v1/layout.ts";

/** Groups that a container nests deeper than this are left to the kernel's own limit. */
const MAX_DEPTH = 32;

/** Every host directory that a group's path may have, whatever its device rules are. */
export function directoriesOf(cgroups: Cgroups, path: string): readonly string[] {
  if (cgroups.version === 0) return [];
  if (cgroups.version === 2) return [`${cgroups.mountpoint}/${path}`];
  const both = [true, false].flatMap((isConfined) => groupPaths(cgroups, { path, isConfined }));
  return [...new Set(both.map(({ directory }) => directory))];
}

/** Names of the groups right below one; empty when it is not there. */
export function childrenOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch {
    return [];
  }
}

/** Pids in a group and all below it, as the host sees them; empty when it is not there. */
export function processesBelow(directory: string, depth = 0): readonly number[] {
  const own = (tryReadSetting(`${directory}/cgroup.procs`) ?? "").split("\n").map(Number);
  const below =
    depth < MAX_DEPTH
      ? childrenOf(directory).flatMap((name) => processesBelow(`${directory}/${name}`, depth + 1))
      : [];
  return [...own.filter((pid) => pid > 0), ...below];
}

/** Removes a group, those below it first. What holds processes stays. */
export function removeTree(directory: string, depth = 0): void {
  if (depth < MAX_DEPTH)
    for (const name of childrenOf(directory)) removeTree(`${directory}/${name}`, depth + 1);
  tryRemove(directory);
}

function tryRemove(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Gone already, or in use and then somebody else's to remove.
  }
}

/** Names of all groups below a parent, in any hierarchy. */
export function listGroups(cgroups: Cgroups, parent: string): readonly string[] {
  const tops = directoriesOf(cgroups, parent);
  const names = [...tops, ...tops.map((top) => `${top}/${CONFINED}`)].flatMap(childrenOf);
  return [...new Set(names)].filter((name) => name !== CONFINED).sort();
}

/** Removes the group that containers shared, when none is left in it. Never throws. */
export function removeParentGroup(cgroups: Cgroups, parent: string): void {
  for (const directory of directoriesOf(cgroups, parent)) {
    tryRemove(`${directory}/${CONFINED}`);
    tryRemove(directory);
  }
  if (cgroups.version === 1 && cgroups.unified !== undefined) tryRemove(`${cgroups.unified}/${parent}`);
}
