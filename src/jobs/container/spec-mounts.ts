import { statSync } from "node:fs";
import type { Container, MountPoint } from "#container";
import { DEFAULT_SHM_BYTES, defaultMounts, type RuntimeMount } from "#libcontainer";
import type { Sandbox } from "#network";
import type { MountSpec } from "#oci";
import { overlayMount } from "./overlays.ts";
import { onePair } from "./owners.ts";
import { parseSecurityOptions } from "./spec-security.ts";
import { namespaceOf, type UserNamespace } from "./user-namespace.ts";

/** Stay writable under a read-only root: they hold nothing of the image. */
const ALWAYS_WRITABLE = ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"];

export interface MountContext {
  readonly files: Sandbox["files"];
  /** A process whose /dev/shm is shared (`--ipc container:…`). */
  readonly ipcPid?: number;
  /** How the images among the mounts are mounted, by their ids. */
  readonly trees: ReadonlyMap<string, MountSpec>;
  /** Of the container; absent where it is the host's. */
  readonly userNamespace?: UserNamespace;
}

/**
 * The default mounts, then the engine's files and the user's mounts by depth, so that what lies deeper is never
 * covered. A user's mount takes the place of a default one, and one over /dev of everything below it.
 */
export function runtimeMounts(container: Container, context: MountContext): readonly RuntimeMount[] {
  const { host } = container.spec;
  const own = container.mounts.map((mount) =>
    mount.isOverlay === true ? overlayMount(mount, container.directory) : userMount(mount, context.trees),
  );
  const taken = new Set(own.map(({ destination }) => destination));
  const isFree = ({ destination }: RuntimeMount) =>
    !taken.has(destination) && !(taken.has("/dev") && destination.startsWith("/dev/"));
  const close = ({ destination, options, ...rest }: RuntimeMount): RuntimeMount => ({
    ...rest,
    destination,
    options: host.readonlyRootfs && !ALWAYS_WRITABLE.includes(destination) ? [...options, "ro"] : options,
  });
  const isCgroupWritable = host.privileged || parseSecurityOptions(host.securityOptions).isCgroupWritable;
  const defaults = defaultMounts({
    shmBytes: shmBytes(host.ipcMode, host.shmSizeBytes),
    hasMqueue: true,
    isSysWritable: host.privileged,
    isCgroupWritable,
  });
  const deeper = [...sharedMemory(host.ipcMode, context), ...networkFiles(context)].filter(isFree).map(close);
  return [...defaults.filter(isFree).map(close), ...[...deeper, ...own].sort((a, b) => depth(a) - depth(b))];
}

function depth({ destination }: RuntimeMount): number {
  return destination.split("/").filter((part) => part !== "").length;
}

/** Undefined where /dev/shm is another one's, or there is none. */
function shmBytes(ipcMode: string, bytes: number): number | undefined {
  const isOwn = ["", "private", "shareable"].includes(ipcMode);
  return isOwn ? bytes || DEFAULT_SHM_BYTES : undefined;
}

function sharedMemory(ipcMode: string, { ipcPid }: MountContext): readonly RuntimeMount[] {
  if (ipcMode === "host") return [bindMount("/dev/shm", "/dev/shm")];
  return ipcPid === undefined ? [] : [bindMount(`/proc/${ipcPid}/root/dev/shm`, "/dev/shm")];
}

/** Of the container's root, whoever that is on the host. */
function networkFiles({ files, userNamespace }: MountContext): readonly RuntimeMount[] {
  if (files === undefined) return [];
  const owners = userNamespace && { uidMappings: userNamespace.uids, gidMappings: userNamespace.gids };
  return [
    { ...bindMount(files.resolvConf, "/etc/resolv.conf"), ...owners },
    { ...bindMount(files.hostname, "/etc/hostname"), ...owners },
    { ...bindMount(files.hosts, "/etc/hosts"), ...owners },
  ];
}

function bindMount(source: string, destination: string): RuntimeMount {
  return { type: "bind", source, destination, options: ["rbind", "rprivate"] };
}

/** Safe until the user says otherwise. Source: docker run reference, `--tmpfs`. */
const TMPFS_DEFAULTS = ["nosuid", "nodev", "noexec"];

/** A mount of the user's as the kernel shall see it. */
export function userMount(mount: MountPoint, trees: MountContext["trees"]): RuntimeMount {
  const { destination, source, image, subpath } = mount;
  const part = subpath === undefined ? {} : { subpath };
  const tree = image === undefined ? undefined : trees.get(image.id);
  if (tree !== undefined)
    return { type: "image", source, destination, options: [], tree, ...part, ...mappings(mount) };
  if (mount.type === "tmpfs") {
    const words = (mount.tmpfsOptions ?? "").split(",").filter((word) => word !== "");
    return { type: "tmpfs", source: "tmpfs", destination, options: [...TMPFS_DEFAULTS, ...words] };
  }
  const isShallow = !mount.isRecursive || mount.isReadonlyShallow === true;
  const access = mount.isWritable ? "rw" : isShallow ? "ro" : "rro";
  const kind = mount.isRecursive ? "rbind" : "bind";
  const options = [kind, access, mount.propagation || "rprivate"];
  return { type: "bind", source, destination, options, ...part, ...mappings(mount) };
}

/** Who the owners on disk look like. */
function mappings({ source, owners, seenAs }: MountPoint): Partial<RuntimeMount> {
  const map = owners ?? (seenAs === undefined ? undefined : onePair(statSync(source), seenAs));
  if (map === undefined) return {};
  const { uids, gids } = namespaceOf(map);
  return { uidMappings: uids, gidMappings: gids };
}
