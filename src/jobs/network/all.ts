import type { Made } from "../made.ts";
import type { Rooms } from "../rooms.ts";
import { inspectNetwork } from "./inspect.ts";
import { listNetworks } from "./list.ts";
import type { NetworkJobs } from "./types.ts";

export const networkJobs = (rooms: Rooms) =>
  ({
    "network.inspect": inspectNetwork(rooms),
    "network.list": listNetworks(rooms),
  }) satisfies Made<NetworkJobs>;
