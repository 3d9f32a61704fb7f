import { readlinkSync } from "node:fs";
import type { HostSpec, MountPoint, OwnerMap, OwnerRange } from "#container";
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

/** A user namespace to be joined: who is in it on the host, and something that it owns: `/proc/PID/ns/pid`. */
export interface SharedUserNamespace extends UserNamespace {
  readonly ownedPath: string;
}

/** The one that owns what is shared with other containers: it must be shared as well. Throws `invalid`. */
export function sharedUserNamespace(donors: readonly Donor[]): SharedUserNamespace | undefined {
  const [donor, ...others] = donors;
  if (donor === undefined) return undefined;
  const { name, pid, ids } = donor;
  const alien = donors.find((one) => one.ids === undefined);
  if (ids === undefined || alien !== undefined)
    throw new Fault(
      "invalid",
      `cannot join a namespace of container ${alien?.name ?? name} from a user namespace of its own: it runs in the host's; run this one with --userns host too`,
    );
  if (others.some((other) => ownerOf(other.pid) !== ownerOf(pid)))
    throw new Fault(
      "invalid",
      `cannot join namespaces of the containers ${donors.map((one) => one.name).join(" and ")}: each is in a user namespace of its own; share those of one, or use --userns host`,
    );
  return { ...namespaceOf(ids), ownedPath: `/proc/${pid}/ns/pid` };
}

/** `pid:[4026531836]`: whose pid namespace is another's is in a user namespace of its own, and may share that of another. */
function ownerOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
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
  const owners = idsOf(userNamespace);
  return mounts.map((mount) => {
    if (mount.owners !== undefined) return { ...mount, owners: outsideOwners(mount.owners, userNamespace) };
    if (mount.seenAs !== undefined) return { ...mount, seenAs: outsidePair(mount.seenAs, userNamespace) };
    return belongsInside(mount, volumes) ? { ...mount, owners } : mount;
  });
}

type Pair = NonNullable<MountPoint["seenAs"]>;

/** Who somebody inside is on the host. */
function outsidePair({ uid, gid }: Pair, { uids, gids }: UserNamespace): Pair {
  return { uid: outside({ first: uid, size: 1 }, uids), gid: outside({ first: gid, size: 1 }, gids) };
}

/** Ranges that speak of those inside, in the host's numbers. */
function outsideOwners(owners: OwnerMap, { uids, gids }: UserNamespace): OwnerMap {
  const translated = (ranges: readonly OwnerRange[], mappings: readonly IdMapping[]) =>
    ranges.map((range) =>
      range.isInside === true
        ? { ...range, seen: outside({ first: range.seen, size: range.size }, mappings) }
        : range,
    );
  return { uids: translated(owners.uids, uids), gids: translated(owners.gids, gids) };
}

function outside(
  { first, size }: { readonly first: number; readonly size: number },
  mappings: readonly IdMapping[],
): number {
  const found = mappings.find(
    (one) => one.containerId <= first && first + size <= one.containerId + one.size,
  );
  if (found !== undefined) return found.hostId + first - found.containerId;
  throw new Fault(
    "invalid",
    `invalid mapping of owners: the container's user namespace does not have the ids from ${first} to ${first + size - 1}`,
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

/** For the record: a container's own ids, and who they are on the host. */
export function idsOf({ uids, gids }: UserNamespace): OwnerMap {
  const ranges = (mappings: readonly IdMapping[]) =>
    mappings.map(({ containerId, hostId, size }) => ({ onDisk: containerId, seen: hostId, size }));
  return { uids: ranges(uids), gids: ranges(gids) };
}

export function namespaceOf({ uids, gids }: OwnerMap): UserNamespace {
  const mappings = (ranges: readonly OwnerRange[]) =>
    ranges.map(({ onDisk, seen, size }) => ({ containerId: onDisk, hostId: seen, size }));
  return { uids: mappings(uids), gids: mappings(gids) };
}
