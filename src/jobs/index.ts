/**
 * Owns every verb bunker knows; it is the only room where rooms meet.
 * Refuses HTTP and words typed by people: input and output are the engine's own shapes.
 * Called by `daemon`, which hands each job the rooms it needs.
 */
export { allJobs } from "./all.ts";
export { checkLog, LOG_DRIVERS } from "./container/log/options.ts";
export { restContainers } from "./container/rest.ts";
export { OWN_RUNTIME, runtimeNamed } from "./container/runtime.ts";
export type { StorageDefaults } from "./container/size-limit.ts";
export type { UserNamespace } from "./container/user-namespace.ts";
export { type Recovery, recoverContainers, sweepFolders } from "./recover.ts";
export {
  type ContainerDefaults,
  type ContainerRooms,
  type EngineSettings,
  openContainerRooms,
  type Rooms,
} from "./rooms.ts";
export {
  type Disk,
  diskOf,
  GarbagePolicy,
  type GarbageSettings,
  type PolicyNeeds,
} from "./system/gc-policy.ts";
export type * from "./types.ts";
