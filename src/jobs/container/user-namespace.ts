import { readlinkSync } from "node:fs";
import type { HostSpec, MountPoint, OwnerMap } from "#container";
import { Fault } from "#errors";
import type { IdMapping } from "#libcontainer";
import type { Volumes } from "#volume";
import type { Donor } from "./modes.ts";

/** Who a container's users and groups are on the host. */
export interface UserNamespace {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

/** That of a container: the engine's for all who do not ask for the host's. */
export function userNamespaceOf(
  host: Pick<HostSpec, "usernsMode">,
  engines: UserNamespace | undefined,
): UserNamespace | undefined {
  return host.usernsMode === "host" ? undefined : engines;
}

/** Refuses what the kernel lets nobody do from a user namespace of its own, in Docker's words. Throws `invalid`. */
export function checkUserNamespace(host: HostSpec, engines: UserNamespace | undefined): void {
  const isOwn = userNamespaceOf(host, engines) !== undefined;
  const isInside = host.mounts.some(({ bind }) => bind?.idMapping?.source === "userns");
  if (!isOwn && isInside)
    throw new Fault(
      "invalid",
      "invalid mount config for type bind: IDMapping.Source userns needs a container with a user namespace of its own",
    );
  if (!isOwn) return;
  const refuse = (what: string) => {
    throw new Fault("invalid", `${what}; --userns host runs the container without one`);
  };
  if (host.privileged)
    refuse(
      "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode",
    );
  if (host.networkMode === "host")
    refuse("cannot share the host's network namespace when user namespaces are enabled");
  if (host.pidMode === "host") refuse("cannot share the host PID namespace when user namespaces are enabled");
  if (host.ipcMode === "host")
    refuse("cannot share the host's IPC namespace when user namespaces are enabled");
  if (host.cgroupnsMode === "host")
    refuse("cannot share the host's cgroup namespace when user namespaces are enabled");
}

/** The user namespace that owns what is shared with other containers: it must be shared as well. Throws `invalid`. */
export function sharedUserNamespace(donors: readonly Donor[]): string | undefined {
  const owners = new Set(donors.map(({ pid }) => ownerOf(pid)));
  const [donor] = donors;
  if (donor === undefined) return undefined;
  if (owners.has(ownerOf("self")))
    throw new Fault(
      "invalid",
      `cannot join a namespace of container ${donor.name} from a user namespace of its own: it runs in the host's; run this one with --userns host too`,
    );
  if (owners.size > 1)
    throw new Fault(
      "invalid",
      `cannot join namespaces of the containers ${donors.map(({ name }) => name).join(" and ")}: each is in a user namespace of its own; share those of one, or use --userns host`,
    );
  return `/proc/${donor.pid}/ns/user`;
}

/** `user:[4026531837]`; undefined for a process that has gone, which is found out later. */
function ownerOf(pid: number | "self"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/user`);
  } catch {
    return undefined;
  }
}

/**
 * Mounts as the user namespace shall see them: what the engine keeps itself, in volumes and images, belongs on disk to
 * the users inside, whoever those are on the host; what is the host's belongs to whom it does.
 */
export function mountsInside(
  mounts: readonly MountPoint[],
  {
    volumes,
    userNamespace,
  }: { readonly volumes: Pick<Volumes, "find">; readonly userNamespace: UserNamespace | undefined },
): readonly MountPoint[] {
  if (userNamespace === undefined) return mounts;
  const overlaid = mounts.find(({ isOverlay }) => isOverlay === true);
  if (overlaid !== undefined)
    throw new Fault(
      "unsupported",
      `Cannot mount ${overlaid.destination} with the option O in a user namespace: its upper layer would be the host's; --userns host runs the container without one`,
    );
  const owners = ownersInside(userNamespace);
  return mounts.map((mount) =>
    mount.owners === undefined && belongsInside(mount, volumes) ? { ...mount, owners } : mount,
  );
}

function belongsInside(mount: MountPoint, volumes: Pick<Volumes, "find">): boolean {
  if (mount.isInside === true || mount.type === "image") return true;
  if (mount.type !== "volume" || mount.name === undefined) return false;
  const volume = volumes.find(mount.name);
  // What is mounted by its options may be any part of the host.
  const { device, type } = volume?.options ?? {};
  return volume?.driver === "local" && device === undefined && type === undefined;
}

function ownersInside({ uids, gids }: UserNamespace): OwnerMap {
  const ranges = (mappings: readonly IdMapping[]) =>
    mappings.map(({ containerId, hostId, size }) => ({ onDisk: containerId, seen: hostId, size }));
  return { uids: ranges(uids), gids: ranges(gids) };
}
