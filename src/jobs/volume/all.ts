import type { Made } from "../made.ts";
import type { Rooms } from "../rooms.ts";
import { cloneVolume } from "./clone.ts";
import { createVolume } from "./create.ts";
import { exportVolume } from "./export.ts";
import { importVolume } from "./import.ts";
import { inspectVolume } from "./inspect.ts";
import { listVolumes } from "./list.ts";
import { pruneVolumes } from "./prune.ts";
import { removeVolume } from "./remove.ts";
import { listSnapshots, makeSnapshot, removeSnapshot, restoreVolume } from "./snapshots.ts";
import type { VolumeJobs } from "./types.ts";
import { measureVolumes } from "./usage.ts";

export const volumeJobs = (rooms: Rooms) =>
  ({
    "volume.clone": cloneVolume(rooms),
    "volume.create": createVolume(rooms),
    "volume.export": exportVolume(rooms),
    "volume.import": importVolume(rooms),
    "volume.inspect": inspectVolume(rooms),
    "volume.list": listVolumes(rooms),
    "volume.prune": pruneVolumes(rooms),
    "volume.remove": removeVolume(rooms),
    "volume.restore": restoreVolume(rooms),
    "volume.snapshot": makeSnapshot(rooms),
    "volume.snapshot-remove": removeSnapshot(rooms),
    "volume.snapshots": listSnapshots(rooms),
    "volume.usage": measureVolumes(rooms),
  }) satisfies Made<VolumeJobs>;
