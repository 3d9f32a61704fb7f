import type { HostStep } from "../plan.ts";
import type { Resources } from "../spec.ts";
import type { Cgroups } from "./detect.ts";
import { prepareParentV1 } from "./v1/parent.ts";
import { stepsV1 } from "./v1/steps.ts";
import { prepareParentV2 } from "./v2/parent.ts";
import { stepsV2 } from "./v2/steps.ts";

/**
 * The plan's first part: the container's own groups, what was asked of them, and the joining.
 * `path` is below the top of every hierarchy, like `bunker/<id>`; the group above it must have been prepared.
 */
export function cgroupSteps(
  cgroups: Cgroups,
  options: { readonly path: string; readonly resources: Resources },
): readonly HostStep[] {
  if (cgroups.version === 0) return [];
  return cgroups.version === 1 ? stepsV1(cgroups, options) : stepsV2(cgroups, options);
}

/**
 * Makes the group above a container's, with all that a group below needs to begin with: on v1 the processors and
 * memory nodes and the default device rules, on v2 the controllers switched on at each level. Throws a Fault.
 */
export function prepareParentGroup(cgroups: Cgroups, path: string): void {
  const parent = path.slice(0, path.lastIndexOf("/"));
  if (cgroups.version === 1) prepareParentV1(cgroups, parent);
  if (cgroups.version === 2) prepareParentV2(cgroups, parent);
}
