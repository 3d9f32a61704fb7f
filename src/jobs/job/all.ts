import type { Made } from "../made.ts";
import type { Rooms } from "../rooms.ts";
import { cancelJob } from "./cancel.ts";
import { listJobs } from "./list.ts";
import type { JobJobs } from "./types.ts";

export const jobJobs = (rooms: Rooms) =>
  ({
    "job.cancel": cancelJob(rooms),
    "job.list": listJobs(rooms),
  }) satisfies Made<JobJobs>;
