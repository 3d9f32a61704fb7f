import type { Cgroups } from "./cgroups/detect.ts";
import { MS, parseMountOptions } from "./mount-options.ts";
import type { ChildStep } from "./plan.ts";
import type { RuntimeMount } from "./spec.ts";

/**
 * /sys/fs/cgroup as the container's own cgroup namespace shows it. On v1 a small tmpfs holds one mount a
 * hierarchy, and names for controllers that share one; the tmpfs is closed to writers last.
 */
export function cgroupMountSteps(mount: RuntimeMount, cgroups: Cgroups): readonly ChildStep[] {
  const { flags } = parseMountOptions(mount.options);
  const target = mount.destination;
  if (cgroups.version === 0) return [];
  if (cgroups.version === 2)
    return [{ op: "mount", type: "cgroup2", source: "cgroup", target, flags, data: "" }];
  const names = cgroups.hierarchies.map(({ mountpoint }) =>
    mountpoint.slice(mountpoint.lastIndexOf("/") + 1),
  );
  return [
    {
      op: "mount",
      type: "tmpfs",
      source: "tmpfs",
      target,
      flags: flags & ~MS.RDONLY,
      data: "mode=755,size=64k",
    },
    ...cgroups.hierarchies.map(
      ({ controllers }, index): ChildStep => ({
        op: "mount",
        type: "cgroup",
        source: "cgroup",
        target: `${target}/${names[index]}`,
        flags,
        data: controllers.join(","),
      }),
    ),
    ...cgroups.hierarchies.flatMap(({ controllers }, index) =>
      controllers
        .filter((name) => name !== names[index] && !name.includes("="))
        .map((name): ChildStep => ({ op: "symlink", target: `${target}/${name}`, to: names[index] ?? "" })),
    ),
    ...(flags & MS.RDONLY
      ? [
          {
            op: "mount",
            type: "tmpfs",
            source: "tmpfs",
            target,
            flags: flags | MS.REMOUNT,
            data: "",
          } as const,
        ]
      : []),
  ];
}
