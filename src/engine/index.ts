/**
 * Owns the machinery of jobs and the bus of events, and is ignorant of containers.
 * Refuses to know what any job does: it names, times, lists, cancels and reports them.
 * Called by `server` to run a verb, by `daemon` to register them, by `jobs` to define them.
 */
export { Engine, type JobRecord, type JobTable, type RunOptions } from "./engine.ts";
export { type EngineEvent, EventBus, type EventFilter, type EventSubscription } from "./events.ts";
export { type AnyJob, defineJob, type Job, type JobContext, type JobStreams, type Progress } from "./job.ts";
