import type { Mount, MountBody } from "#api";
import type { ContainerSpec, MountPoint } from "#jobs";

type MountRequest = ContainerSpec["host"]["mounts"][number];

/** One of HostConfig.Mounts in the engine's words. */
export function toMountRequest(body: MountBody): MountRequest {
  const { VolumeOptions: volume, TmpfsOptions: tmpfs, ImageOptions: image } = body;
  return {
    type: body.Type || "bind",
    source: body.Source,
    target: body.Target,
    readonly: body.ReadOnly,
    consistency: body.Consistency,
    ...(body.BindOptions != null && { bind: toBindRequest(body.BindOptions) }),
    ...(volume != null && {
      volume: {
        noCopy: volume.NoCopy,
        labels: volume.Labels,
        driverName: volume.DriverConfig?.Name ?? "",
        driverOptions: volume.DriverConfig?.Options ?? {},
        hasDriver: volume.DriverConfig != null,
        subpath: volume.Subpath,
      },
    }),
    ...(image != null && { image: { subpath: image.Subpath } }),
    ...(tmpfs != null && {
      tmpfs: { sizeBytes: tmpfs.SizeBytes, mode: tmpfs.Mode, options: tmpfs.Options },
    }),
    ...(body.ClusterOptions != null && { hasClusterOptions: true }),
  };
}

function toBindRequest(bind: NonNullable<MountBody["BindOptions"]>): NonNullable<MountRequest["bind"]> {
  const { IDMapping: idMapping } = bind;
  return {
    propagation: bind.Propagation,
    isNonRecursive: bind.NonRecursive,
    createMountpoint: bind.CreateMountpoint,
    readOnlyNonRecursive: bind.ReadOnlyNonRecursive,
    readOnlyForceRecursive: bind.ReadOnlyForceRecursive,
    ...(idMapping != null && { idMapping: { source: idMapping.Source, user: idMapping.User } }),
    ...(bind.IdMap !== "" && { idMap: bind.IdMap }),
  };
}

/** As it was given; what is empty is left out, as Docker does. */
export function toMountBody(request: MountRequest) {
  const { type, source, target, readonly, consistency, bind, volume, image, tmpfs } = request;
  return {
    Type: type,
    Target: target,
    ...said({ Source: source, ReadOnly: readonly, Consistency: consistency }),
    ...(bind !== undefined && { BindOptions: toBindBody(bind) }),
    ...(volume !== undefined && { VolumeOptions: toVolumeBody(volume) }),
    ...(image !== undefined && { ImageOptions: said({ Subpath: image.subpath }) }),
    ...(tmpfs !== undefined && {
      TmpfsOptions: said({ SizeBytes: tmpfs.sizeBytes, Mode: tmpfs.mode, Options: tmpfs.options ?? [] }),
    }),
  };
}

function toBindBody(bind: NonNullable<MountRequest["bind"]>) {
  const { idMapping, idMap = "" } = bind;
  return said({
    Propagation: bind.propagation,
    NonRecursive: bind.isNonRecursive,
    CreateMountpoint: bind.createMountpoint,
    ReadOnlyNonRecursive: bind.readOnlyNonRecursive,
    ReadOnlyForceRecursive: bind.readOnlyForceRecursive,
    IDMapping: idMapping === undefined ? {} : said({ Source: idMapping.source, User: idMapping.user }),
    IdMap: idMap,
  });
}

function toVolumeBody(volume: NonNullable<MountRequest["volume"]>) {
  const driver = said({ Name: volume.driverName, Options: volume.driverOptions });
  return {
    ...said({ NoCopy: volume.noCopy, Labels: volume.labels, Subpath: volume.subpath }),
    ...((volume.hasDriver || Object.keys(driver).length > 0) && { DriverConfig: driver }),
  };
}

/** Without what is false, zero or empty. */
function said<Fields extends object>(fields: Fields): Partial<Fields> {
  const isSaid = (value: unknown) =>
    typeof value === "object" && value !== null ? Object.keys(value).length > 0 : Boolean(value);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => isSaid(value))) as Partial<Fields>;
}

/** What `inspect` and `ps` list: a tmpfs of `--tmpfs` is among the options of the host alone. */
export function toMounts(mounts: readonly MountPoint[]): Mount[] {
  return mounts.filter(({ isUnlisted }) => isUnlisted !== true).map(toMount);
}

/** An image's name is its reference. */
function toMount(mount: MountPoint): Mount {
  const name = mount.image?.reference ?? mount.name;
  return {
    Type: mount.type,
    ...(name !== undefined && { Name: name }),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.driver !== undefined && { Driver: mount.driver }),
    Mode: mount.mode,
    RW: mount.isWritable,
    Propagation: mount.propagation,
  };
}
