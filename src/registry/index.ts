/**
 * Owns the talk with registries: resolving, fetching, credentials.
 * Refuses to keep anything: bytes are handed out as they come.
 * Called by `jobs`.
 */
export { parseCredentials } from "./auth/keychain.ts";
export type { Clock } from "./client/clock.ts";
export { endpointsOf } from "./client/endpoints.ts";
export { LIMITS, type Limits } from "./client/limits.ts";
export { type OpenOptions, openRegistry } from "./client/open.ts";
export type * from "./types.ts";
