import type { ContainerJobs } from "./container/types.ts";
import type { ExecJobs } from "./exec/types.ts";
import type { ImageJobs } from "./image/types.ts";
import type { JobJobs } from "./job/types.ts";
import type { NetworkJobs } from "./network/types.ts";
import type { SystemJobs } from "./system/types.ts";
import type { VolumeJobs } from "./volume/types.ts";

/**
 * Every verb bunker knows: name → what goes in, what comes out. `ref` is an id, a name or a unique prefix.
 * A result of `changed: false` is Docker's 304. Duplex results are unix sockets of the supervisor: bytes
 * pass through untouched (framed as Docker frames them unless there is a terminal), half-close is the end of stdin.
 */
export type Jobs = ContainerJobs & ExecJobs & ImageJobs & JobJobs & NetworkJobs & SystemJobs & VolumeJobs;

export type { Container, ContainerSpec, MountPoint } from "#container";
export type { EngineEvent, JobRecord } from "#engine";
export type { ImageConfig } from "#oci";
export type * from "./container/types.ts";
export type * from "./exec/types.ts";
export type * from "./image/types.ts";
export type * from "./job/types.ts";
export type * from "./network/types.ts";
export type * from "./shapes.ts";
export type * from "./system/types.ts";
export type * from "./volume/types.ts";
