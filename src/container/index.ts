/**
 * Owns what a container is: its record, its status, its names, its logs, and the watch over its end.
 * Refuses to know networks, images and mounts beyond their names: jobs bring those together.
 * Called by `jobs`.
 */
export { advance, type Status, type Step } from "./lifecycle.ts";
export type * from "./record.ts";
