/**
 * Owns HTTP: sockets, the Docker Engine API's paths, statuses and shapes, and connections that are taken over.
 * Refuses to know what a container is: a route validates, runs one job by name, and answers.
 * Called by `daemon`, which hands it the engine.
 */

export { type App, type AppNeeds, createApp } from "./app.ts";
export { type AskedReply, type AskedRequest, type Authority, authorized } from "./authorization.ts";
export type { JobRunner, ServerFacts } from "./environment.ts";
export { type Host, parseHost } from "./host.ts";
export { type Listening, type ListenOptions, listen } from "./listen.ts";
export type { ServerKeys } from "./tls.ts";
