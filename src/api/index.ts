/**
 * Owns the shapes of the Docker Engine API as it goes over the wire, requests and replies, and its versions.
 * Refuses to know what any of it means: `server/translate` turns it into the engine's words.
 * Called by `server` for the schemas, by `client` and `cli` for the types.
 */
export * from "./auth.ts";
export * from "./container-reply.ts";
export * from "./container-request.ts";
export * from "./disk-usage.ts";
export * from "./exit-frame.ts";
export * from "./host-config.ts";
export { ZERO_TIME } from "./lenient.ts";
export * from "./mount-reply.ts";
export * from "./network-reply.ts";
export * from "./network-request.ts";
export * from "./object-reply.ts";
export * from "./path-stat.ts";
export * from "./query.ts";
export * from "./store-reply.ts";
export * from "./system-reply.ts";
export * from "./versions.ts";
