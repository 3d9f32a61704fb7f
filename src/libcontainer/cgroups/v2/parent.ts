import type { Cgroups } from "../detect.ts";
import { levelsOf, makeGroup, readSetting, tryReadSetting, writeSetting } from "../files.ts";

/** What containers use, where the kernel and the level above offer it. */
const WANTED = ["cpuset", "cpu", "io", "memory", "pids"];

/**
 * Makes the groups above a container's and hands the controllers down level by level: a controller is there only
 * where every group above lists it in cgroup.subtree_control. Source: Documentation/admin-guide/cgroup-v2.rst, "Enabling and Disabling".
 */
export function prepareParentV2(cgroups: Cgroups & { readonly version: 2 }, parent: string): void {
  handDown(cgroups.mountpoint);
  for (const level of levelsOf(parent)) {
    const directory = `${cgroups.mountpoint}/${level}`;
    makeGroup(directory);
    handDown(directory);
  }
}

function handDown(directory: string): void {
  const offered = readSetting(`${directory}/cgroup.controllers`).split(" ");
  const enabled = (tryReadSetting(`${directory}/cgroup.subtree_control`) ?? "").split(" ");
  const missing = WANTED.filter((name) => offered.includes(name) && !enabled.includes(name));
  if (missing.length > 0)
    writeSetting(`${directory}/cgroup.subtree_control`, missing.map((name) => `+${name}`).join(" "));
}
