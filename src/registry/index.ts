/**
 * Owns the talk with registries: resolving, fetching, credentials.
 * Refuses to keep anything: bytes are handed out as they come.
 * Called by `jobs`.
 */
export type * from "./types.ts";
