/**
 * Owns the talk with registries (resolving, fetching, credentials) and being one: the distribution protocol over
 * files of its own.
 * Refuses to know the engine: what its client fetches is handed out as it comes, and its server stores for itself.
 * Called by `jobs`, and by `cli` for what its user asks of registries without a daemon; `daemon` runs the server.
 */
export { parseCredentials } from "./auth/keychain.ts";
export { CERTIFICATE_FOLDERS } from "./client/certificates.ts";
export type { Clock } from "./client/clock.ts";
export { endpointsOf } from "./client/endpoints.ts";
export { LIMITS, type Limits } from "./client/limits.ts";
export { type LoginRequest, logIn } from "./client/login.ts";
export { type OpenOptions, openRegistry } from "./client/open.ts";
export { type SearchRequest, searchRegistry } from "./client/search.ts";
export { collectGarbage, type Garbage, type GarbageOptions } from "./server/garbage.ts";
export { Htpasswd } from "./server/htpasswd.ts";
export { Origin } from "./server/origin.ts";
export { UPLOAD_LIMITS, type UploadLimits } from "./server/room.ts";
export { type RegistryServer, type ServeOptions, serveRegistry } from "./server/serve.ts";
export { openRegistryStore, type RegistryStore } from "./server/store.ts";
export type * from "./types.ts";
