import type { Made } from "../made.ts";
import type { Rooms } from "../rooms.ts";
import { connectNetwork } from "./connect.ts";
import { createNetwork } from "./create.ts";
import { disconnectNetwork } from "./disconnect.ts";
import { diagnoseNetworks } from "./doctor.ts";
import { inspectNetwork } from "./inspect.ts";
import { listNetworks } from "./list.ts";
import { listPublishedPorts } from "./ports.ts";
import { pruneNetworks } from "./prune.ts";
import { removeNetwork } from "./remove.ts";
import type { NetworkJobs } from "./types.ts";

export const networkJobs = (rooms: Rooms) =>
  ({
    "network.connect": connectNetwork(rooms),
    "network.create": createNetwork(rooms),
    "network.disconnect": disconnectNetwork(rooms),
    "network.doctor": diagnoseNetworks(rooms),
    "network.inspect": inspectNetwork(rooms),
    "network.list": listNetworks(rooms),
    "network.ports": listPublishedPorts(rooms),
    "network.prune": pruneNetworks(rooms),
    "network.remove": removeNetwork(rooms),
  }) satisfies Made<NetworkJobs>;
