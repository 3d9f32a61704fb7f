/**
 * Owns a container as the kernel sees it: namespaces, groups, capabilities, devices, root, and the launcher.
 * Refuses to know images, names and HTTP.
 * Called by `exec`, and by `jobs` to state what is wanted.
 */
export type * from "./plan.ts";
export type * from "./spec.ts";
