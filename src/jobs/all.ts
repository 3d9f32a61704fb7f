import type { AnyJob } from "#engine";
import { containerJobs } from "./container/all.ts";
import { execJobs } from "./exec/all.ts";
import { imageJobs } from "./image/all.ts";
import { jobJobs } from "./job/all.ts";
import type { Made } from "./made.ts";
import { networkJobs } from "./network/all.ts";
import type { Rooms } from "./rooms.ts";
import { systemJobs } from "./system/all.ts";
import type { Jobs } from "./types.ts";
import { volumeJobs } from "./volume/all.ts";

/** Every job there is: the type does not allow one to be missing. */
export function allJobs(rooms: Rooms): readonly AnyJob[] {
  return Object.values({
    ...containerJobs(rooms),
    ...execJobs(rooms),
    ...imageJobs(rooms),
    ...jobJobs(rooms),
    ...networkJobs(rooms),
    ...systemJobs(rooms),
    ...volumeJobs(rooms),
  } satisfies Made<Jobs>);
}
