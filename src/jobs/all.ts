import type { AnyJob, Job } from "#engine";
import { attachContainer } from "./container/attach.ts";
import { containerChanges } from "./container/changes.ts";
import { createContainer } from "./container/create.ts";
import { inspectContainer } from "./container/inspect.ts";
import { killContainer } from "./container/kill.ts";
import { listContainers } from "./container/list.ts";
import { containerLogs } from "./container/logs.ts";
import { pauseContainer, unpauseContainer } from "./container/pause.ts";
import { pruneContainers } from "./container/prune.ts";
import { removeContainer } from "./container/remove.ts";
import { renameContainer } from "./container/rename.ts";
import { resizeContainer } from "./container/resize.ts";
import { restartContainer } from "./container/restart.ts";
import { startContainer } from "./container/start.ts";
import { containerStats } from "./container/stats.ts";
import { stopContainer } from "./container/stop.ts";
import { containerTop } from "./container/top.ts";
import { updateContainer } from "./container/update.ts";
import { waitContainer } from "./container/wait.ts";
import { createExec } from "./exec/create.ts";
import { inspectExec } from "./exec/inspect.ts";
import { resizeExec } from "./exec/resize.ts";
import { startExec } from "./exec/start.ts";
import { imageHistory } from "./image/history.ts";
import { inspectImage } from "./image/inspect.ts";
import { listImages } from "./image/list.ts";
import { pruneImages } from "./image/prune.ts";
import { pullImage } from "./image/pull.ts";
import { removeImage } from "./image/remove.ts";
import { tagImage } from "./image/tag.ts";
import { cancelJob } from "./job/cancel.ts";
import { listJobs } from "./job/list.ts";
import { inspectNetwork } from "./network/inspect.ts";
import { listNetworks } from "./network/list.ts";
import type { Rooms } from "./rooms.ts";
import { systemEvents } from "./system/events.ts";
import { systemInfo } from "./system/info.ts";
import type { Jobs } from "./types.ts";
import { createVolume } from "./volume/create.ts";
import { inspectVolume } from "./volume/inspect.ts";
import { listVolumes } from "./volume/list.ts";
import { removeVolume } from "./volume/remove.ts";

type Made = { readonly [Name in keyof Jobs]: Job<Name, Jobs[Name]["input"], Jobs[Name]["output"]> };

/** Every job there is: the type does not allow one to be missing. */
export function allJobs(rooms: Rooms): readonly AnyJob[] {
  return Object.values({
    ...containerJobs(rooms),
    ...execJobs(rooms),
    ...imageJobs(rooms),
    ...otherJobs(rooms),
  } satisfies Made);
}

const containerJobs = (rooms: Rooms) => ({
  "container.attach": attachContainer(rooms),
  "container.changes": containerChanges(rooms),
  "container.create": createContainer(rooms),
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
});

const execJobs = (rooms: Rooms) => ({
  "exec.create": createExec(rooms),
  "exec.inspect": inspectExec(rooms),
  "exec.resize": resizeExec(rooms),
  "exec.start": startExec(rooms),
});

const imageJobs = (rooms: Rooms) => ({
  "image.history": imageHistory(rooms),
  "image.inspect": inspectImage(rooms),
  "image.list": listImages(rooms),
  "image.prune": pruneImages(rooms),
  "image.pull": pullImage(rooms),
  "image.remove": removeImage(rooms),
  "image.tag": tagImage(rooms),
});

const otherJobs = (rooms: Rooms) => ({
  "job.cancel": cancelJob(rooms),
  "job.list": listJobs(rooms),
  "network.inspect": inspectNetwork(rooms),
  "network.list": listNetworks(rooms),
  "system.events": systemEvents(rooms),
  "system.info": systemInfo(rooms),
  "volume.create": createVolume(rooms),
  "volume.inspect": inspectVolume(rooms),
  "volume.list": listVolumes(rooms),
  "volume.remove": removeVolume(rooms),
});
