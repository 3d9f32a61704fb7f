import { searchRegistry } from "#registry";
import type { Made } from "../made.ts";
import type { Rooms } from "../rooms.ts";
import { inspectDistribution } from "./distribution.ts";
import { imageHistory } from "./history.ts";
import { importImage } from "./import.ts";
import { inspectImage } from "./inspect.ts";
import { listImages } from "./list.ts";
import { loadImages } from "./load.ts";
import { pruneImages } from "./prune.ts";
import { pullImage } from "./pull.ts";
import { pushImage } from "./push.ts";
import { removeImage } from "./remove.ts";
import { saveImages } from "./save.ts";
import { searchImages } from "./search.ts";
import { tagImage } from "./tag.ts";
import type { ImageJobs } from "./types.ts";
import { measureImages } from "./usage.ts";

export const imageJobs = (rooms: Rooms) =>
  ({
    "image.distribution": inspectDistribution(rooms),
    "image.history": imageHistory(rooms),
    "image.import": importImage(rooms),
    "image.inspect": inspectImage(rooms),
    "image.list": listImages(rooms),
    "image.load": loadImages(rooms),
    "image.prune": pruneImages(rooms),
    "image.pull": pullImage(rooms),
    "image.push": pushImage(rooms),
    "image.remove": removeImage(rooms),
    "image.save": saveImages(rooms),
    "image.search": searchImages({ ...rooms, searchRegistry }),
    "image.tag": tagImage(rooms),
    "image.usage": measureImages(rooms),
  }) satisfies Made<ImageJobs>;
