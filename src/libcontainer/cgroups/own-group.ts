import { type Cgroups, hierarchyOf } from "./detect.ts";
import { childrenOf } from "./tree.ts";

/** Of the groups below a container's whose processes belong together and end together. */
export const OWN_PREFIX = "bunker-own-";
/** Of v1's hierarchies one is enough to tell them apart, and this one has no limits that a new group would lack. */
export const TELLING = "freezer";

/** Host directories of such groups of a container, with what an earlier daemon has left running in them. */
export function ownGroups(cgroups: Cgroups, path: string): readonly string[] {
  const top = hierarchyOf(cgroups, TELLING);
  if (top === undefined) return [];
  const names = childrenOf(`${top}/${path}`).filter((name) => name.startsWith(OWN_PREFIX));
  return names.map((name) => `${top}/${path}/${name}`);
}
