import type { Made } from "../made.ts";
import type { Rooms } from "../rooms.ts";
import { exportContainer, getArchive, putArchive, statArchive } from "./archive.ts";
import { attachContainer } from "./attach.ts";
import { containerChanges } from "./changes.ts";
import { commitContainer } from "./commit.ts";
import { createContainer } from "./create.ts";
import { inspectContainer } from "./inspect.ts";
import { killContainer } from "./kill.ts";
import { listContainers } from "./list.ts";
import { containerLogs } from "./logs.ts";
import { pauseContainer, unpauseContainer } from "./pause.ts";
import { pruneContainers } from "./prune.ts";
import { removeContainer } from "./remove.ts";
import { renameContainer } from "./rename.ts";
import { resizeContainer } from "./resize.ts";
import { restartContainer } from "./restart.ts";
import { startContainer } from "./start.ts";
import { containerStats } from "./stats.ts";
import { stopContainer } from "./stop.ts";
import { containerTop } from "./top.ts";
import type { ContainerJobs } from "./types.ts";
import { updateContainer } from "./update.ts";
import { waitContainer } from "./wait.ts";

export const containerJobs = (rooms: Rooms) =>
  ({
    "container.archive-get": getArchive(rooms),
    "container.archive-put": putArchive(rooms),
    "container.archive-stat": statArchive(rooms),
    "container.attach": attachContainer(rooms),
    "container.changes": containerChanges(rooms),
    "container.commit": commitContainer(rooms),
    "container.create": createContainer(rooms),
    "container.export": exportContainer(rooms),
    "container.inspect": inspectContainer(rooms),
    "container.kill": killContainer(rooms),
    "container.list": listContainers(rooms),
    "container.logs": containerLogs(rooms),
    "container.pause": pauseContainer(rooms),
    "container.prune": pruneContainers(rooms),
    "container.remove": removeContainer(rooms),
    "container.rename": renameContainer(rooms),
    "container.resize": resizeContainer(rooms),
    "container.restart": restartContainer(rooms),
    "container.start": startContainer(rooms),
    "container.stats": containerStats(rooms),
    "container.stop": stopContainer(rooms),
    "container.top": containerTop(rooms),
    "container.unpause": unpauseContainer(rooms),
    "container.update": updateContainer(rooms),
    "container.wait": waitContainer(rooms),
  }) satisfies Made<ContainerJobs>;
