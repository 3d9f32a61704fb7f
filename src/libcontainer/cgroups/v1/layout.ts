import type { Cgroups, Hierarchy } from "../detect.ts";

/**
 * In the devices hierarchy the containers with the default rules live one level deeper, below a group that
 * has these rules: a new group inherits its parent's, so that such a start needs no write at all, and
 * no mistake further down can allow more.
 */
export const CONFINED = "confined";

export interface GroupPath extends Hierarchy {
  readonly directory: string;
}

/** The host directories of a container's groups. `path` is below each hierarchy's top, like `bunker/<id>`. */
export function groupPaths(
  cgroups: Cgroups & { readonly version: 1 },
  options: { readonly path: string; readonly isConfined: boolean },
): readonly GroupPath[] {
  const slash = options.path.lastIndexOf("/");
  const confined = `${options.path.slice(0, slash + 1)}${CONFINED}/${options.path.slice(slash + 1)}`;
  return cgroups.hierarchies.map((hierarchy) => {
    const isDevices = options.isConfined && hierarchy.controllers.includes("devices");
    return { ...hierarchy, directory: `${hierarchy.mountpoint}/${isDevices ? confined : options.path}` };
  });
}
