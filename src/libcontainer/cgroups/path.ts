import type { Cgroups } from "./detect.ts";

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

/**
 * Of the directories that were made for a container: the path that `openGroup` takes. The longest, for parents may be
 * among them, but not that in the devices hierarchy, which may lie a level deeper.
 */
export function groupPathOfDirectories(cgroups: Cgroups, directories: readonly string[]): string | undefined {
  if (cgroups.version === 0) return undefined;
  const tops =
    cgroups.version === 2
      ? [cgroups.mountpoint]
      : cgroups.hierarchies
          .filter(({ controllers }) => !controllers.includes("devices"))
          .map(({ mountpoint }) => mountpoint);
  return directories
    .flatMap((one) => tops.filter((top) => one.startsWith(`${top}/`)).map((top) => one.slice(top.length + 1)))
    .sort((one, other) => other.length - one.length)[0];
}
