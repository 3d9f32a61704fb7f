import type { VolumeInspect } from "#api";
import type { Jobs } from "#jobs";

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
  };
}

function emptyAsNull(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null {
  return Object.keys(map).length === 0 ? null : map;
}
