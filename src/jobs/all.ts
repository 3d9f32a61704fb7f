import type { Job } from "#engine";
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
import { imageJobs } from "./image/index.ts";
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

const CONTAINER = [
  attachContainer,
  containerChanges,
  createContainer,
  inspectContainer,
  killContainer,
  listContainers,
  containerLogs,
  pauseContainer,
  unpauseContainer,
  pruneContainers,
  removeContainer,
  renameContainer,
  resizeContainer,
  restartContainer,
  startContainer,
  containerStats,
  stopContainer,
  containerTop,
  updateContainer,
  waitContainer,
] as const;
