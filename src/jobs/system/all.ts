import type { Made } from "../made.ts";
import type { Rooms } from "../rooms.ts";
import { doctor } from "./doctor.ts";
import { systemEvents } from "./events.ts";
import { collectGarbage } from "./gc.ts";
import { systemInfo } from "./info.ts";
import { checkLogin } from "./login.ts";
import type { SystemJobs } from "./types.ts";

export const systemJobs = (rooms: Rooms) =>
  ({
    "system.doctor": doctor(rooms),
    "system.events": systemEvents(rooms),
    "system.gc": collectGarbage(rooms),
    "system.info": systemInfo(rooms),
    "system.login": checkLogin(rooms),
  }) satisfies Made<SystemJobs>;
