import type { Made } from "../made.ts";
import type { Rooms } from "../rooms.ts";
import { createExec } from "./create.ts";
import { inspectExec } from "./inspect.ts";
import { resizeExec } from "./resize.ts";
import { startExec } from "./start.ts";
import type { ExecJobs } from "./types.ts";

export const execJobs = (rooms: Rooms) =>
  ({
    "exec.create": createExec(rooms),
    "exec.inspect": inspectExec(rooms),
    "exec.resize": resizeExec(rooms),
    "exec.start": startExec(rooms),
  }) satisfies Made<ExecJobs>;
