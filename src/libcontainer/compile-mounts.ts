import { existsSync } from "node:fs";
import type { Cgroups } from "./cgroups/detect.ts";
import { cgroupMountSteps } from "./compile-cgroup-mount.ts";
import { DEVICE_LINKS } from "./devices.ts";
import { MS, parseMountOptions } from "./mount-options.ts";
import type { ChildStep, OwnerLines } from "./plan.ts";
import type { DeviceNode, IdMapping, RuntimeMount, RuntimeSpec } from "./spec.ts";

/** One mount of the specification as the steps it takes. */
export function mountSteps(mount: RuntimeMount, cgroups: Cgroups): readonly ChildStep[] {
  if (mount.type === "cgroup") return cgroupMountSteps(mount, cgroups);
  if (mount.tree !== undefined)
    return [
      {
        op: "image",
        mount: mount.tree,
        target: mount.destination,
        subpath: mount.subpath ?? "",
        owners: ownersOf(mount),
      },
    ];
  const options = parseMountOptions(mount.options);
  if (mount.type !== "bind" && !options.isBind)
    return [
      {
        op: "mount",
        type: mount.type,
        source: mount.source,
        target: mount.destination,
        flags: options.flags,
        data: options.data,
      },
    ];
  return [
    {
      op: "bind",
      source: mount.source,
      target: mount.destination,
      recursive: options.isRecursive,
      readonly: options.isReadonly,
      recursiveReadonly: options.isRecursiveReadonly,
      flags: options.flags & ~MS.RDONLY,
      propagation: options.propagation === 0 ? MS.PRIVATE | MS.REC : options.propagation,
      subpath: mount.subpath ?? "",
      owners: ownersOf(mount),
    },
  ];
}

const ownersOf = ({ uidMappings = [], gidMappings = [] }: RuntimeMount): OwnerLines => ({
  uid: mapLines(uidMappings),
  gid: mapLines(gidMappings),
});

/** Source: user_namespaces(7), "User and group ID mappings". */
export function mapLines(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerId, hostId, size }) => `${containerId} ${hostId} ${size}\n`).join("");
}

/**
 * How the host's mounts reach the container's namespace before its own are made: not at all, unless the root or
 * one bind asks to follow the host (slave) or to be seen by it (shared).
 */
export function propagationOf(spec: RuntimeSpec): number {
  const asked = [spec.linux.rootfsPropagation, ...spec.mounts.flatMap(({ options }) => options)];
  if (asked.includes("rshared") || asked.includes("shared")) return MS.SHARED | MS.REC;
  if (asked.includes("rslave") || asked.includes("slave")) return MS.SLAVE | MS.REC;
  return MS.PRIVATE | MS.REC;
}

/** Whether /dev is somebody else's, in which nothing may be made. */
export function hasForeignDev(spec: RuntimeSpec): boolean {
  const mount = spec.mounts.findLast(({ destination }) => destination.replace(/\/+$/, "") === "/dev");
  return mount !== undefined && (mount.type === "bind" || parseMountOptions(mount.options).isBind);
}

/** Nodes and links in /dev, after all mounts. Where nodes may not be made (a user namespace) the launcher binds the host's. */
export function deviceSteps(spec: RuntimeSpec): readonly ChildStep[] {
  if (hasForeignDev(spec)) return [];
  return [
    ...spec.linux.devices.map(madeNode),
    ...DEVICE_LINKS.filter(([, to]) => to !== "/proc/kcore" || hasKernelCore()).map(
      ([target, to]): ChildStep => ({ op: "symlink", target, to }),
    ),
  ];
}

/** Source: stat(2), S_IFCHR, S_IFBLK, S_IFIFO. */
const FORMATS = { c: 0o020000, b: 0o060000, p: 0o010000 } as const;

function madeNode({ path, type, major, minor, fileMode, uid, gid }: DeviceNode): ChildStep {
  return { op: "mknod", target: path, mode: FORMATS[type] | fileMode, major, minor, uid, gid };
}

let kernelCore: boolean | undefined;

function hasKernelCore(): boolean {
  kernelCore ??= existsSync("/proc/kcore");
  return kernelCore;
}
