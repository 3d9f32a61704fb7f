import type { Cgroups, Hierarchy } from "../detect.ts";
import { levelsOf, makeGroup, readSetting, tryReadSetting, writeSetting } from "../files.ts";
import { CONFINED_WRITES } from "./devices.ts";
import { CONFINED } from "./layout.ts";

/** Makes the groups above a container's in every hierarchy. What is right already is left alone and costs a stat each. */
export function prepareParentV1(cgroups: Cgroups & { readonly version: 1 }, parent: string): void {
  for (const hierarchy of cgroups.hierarchies) {
    for (const level of levelsOf(parent)) {
      const isNew = makeGroup(`${hierarchy.mountpoint}/${level}`);
      if (isNew && hierarchy.controllers.includes("cpuset")) inheritProcessors(hierarchy, level);
    }
    if (hierarchy.controllers.includes("devices")) confine(`${hierarchy.mountpoint}/${parent}/${CONFINED}`);
  }
}

/**
 * A new cpuset has no processor and no memory node, and nothing can run in it. From here on groups made below
 * copy them by themselves. Source: Linux, Documentation/admin-guide/cgroup-v1/cpusets.rst, "clone_children".
 */
function inheritProcessors({ mountpoint }: Hierarchy, level: string): void {
  const above = `${mountpoint}/${level.includes("/") ? level.slice(0, level.lastIndexOf("/")) : ""}`;
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    if (tryReadSetting(`${mountpoint}/${level}/${file}`) === "")
      writeSetting(`${mountpoint}/${level}/${file}`, readSetting(`${above}/${file}`));
  }
  writeSetting(`${mountpoint}/${level}/cgroup.clone_children`, "1");
}

const prepared = new Set<string>();

/**
 * Another version of the engine may have left the group with other rules, so the first use looks. Rules that are
 * right are not written anew: with groups below, of containers that an earlier daemon started, the kernel refuses.
 */
function confine(directory: string): void {
  if (!makeGroup(directory) && (prepared.has(directory) || isConfined(directory))) return;
  for (const { file, value } of CONFINED_WRITES) writeSetting(`${directory}/${file}`, value);
  prepared.add(directory);
}

function isConfined(directory: string): boolean {
  const there = tryReadSetting(`${directory}/devices.list`)?.split("\n").sort().join("\n");
  const wanted = CONFINED_WRITES.filter(({ file }) => file === "devices.allow").map(({ value }) => value);
  return there === wanted.sort().join("\n");
}
