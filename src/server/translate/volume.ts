import type { VolumeInspect, VolumeSnapshot } from "#api";
import type { Jobs, SnapshotView } from "#jobs";

/** GET /volumes/{name}. */
export function toVolumeInspect(volume: Jobs["volume.inspect"]["output"]): VolumeInspect {
  return {
    CreatedAt: new Date(volume.created).toISOString(),
    Driver: volume.driver,
    Labels: emptyAsNull(volume.labels),
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: emptyAsNull(volume.options),
    Scope: volume.scope,
    ...(volume.status !== undefined && { Status: volume.status }),
  };
}

export function toSnapshot({ name, created }: SnapshotView): VolumeSnapshot {
  return { Name: name, CreatedAt: new Date(created).toISOString() };
}

function emptyAsNull(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null {
  return Object.keys(map).length === 0 ? null : map;
}
