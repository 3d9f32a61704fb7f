import type { Made } from "../made.ts";
import type { Rooms } from "../rooms.ts";
import { createVolume } from "./create.ts";
import { inspectVolume } from "./inspect.ts";
import { listVolumes } from "./list.ts";
import { removeVolume } from "./remove.ts";
import type { VolumeJobs } from "./types.ts";

export const volumeJobs = (rooms: Rooms) =>
  ({
    "volume.create": createVolume(rooms),
    "volume.inspect": inspectVolume(rooms),
    "volume.list": listVolumes(rooms),
    "volume.remove": removeVolume(rooms),
  }) satisfies Made<VolumeJobs>;
