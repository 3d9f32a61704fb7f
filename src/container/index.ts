/**
 * Owns what a container is: its record, its status, its names, its logs, and the watch over its end.
 * Refuses to know networks, images and mounts beyond their names: jobs bring those together.
 * Called by `jobs`.
 */
export {
  type Check,
  HealthChecks,
  type HealthClock,
  type HealthNeeds,
  type RunCheck,
} from "./health.ts";
export {
  type Health,
  type HealthResult,
  type HealthStatus,
  healthPlan,
  startingHealth,
} from "./health-state.ts";
export { advance, type Status, type Step } from "./lifecycle.ts";
export { type Link, Links } from "./links.ts";
export { readJournal } from "./log/journal.ts";
export { localAttributes } from "./log/local.ts";
export { type LogLocation, type LogQuery, readLog } from "./log/reader.ts";
export {
  type Afterlife,
  type Clock,
  type Ending,
  ended,
  Monitor,
  type MonitorNeeds,
  secondsOfLife,
  type Watched,
} from "./monitor.ts";
export { checkName } from "./names.ts";
export type * from "./record.ts";
export { shouldStartWithDaemon } from "./restart-policy.ts";
export { parseSignal, SIGKILL } from "./signals.ts";
export { Containers, type Held, type ReservedName } from "./store.ts";
export { NEVER, nowNanoseconds, parseTimestamp, timestamp } from "./time.ts";
export type { Wait, WaitCondition, WaitResult } from "./waiters.ts";
