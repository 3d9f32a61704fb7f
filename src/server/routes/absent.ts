import { Hono } from "hono";
import { Fault } from "#errors";
import type { ServerEnv } from "../environment.ts";
import { jsonResponse } from "../json.ts";
import { NO_SWARM } from "../swarm.ts";

const SWARM_PATHS = ["swarm", "nodes", "services", "tasks", "secrets", "configs"];

/** What the API has and this engine has not: [method, path, what cannot be done]. */
const UNSUPPORTED: readonly (readonly [string, string, string])[] = [
  [
    "POST",
    "/build",
    "build an image: the builder is not part of this version, build elsewhere and pull the result",
  ],
  ["POST", "/build/prune", "prune the build cache: there is no builder in this version"],
  ["POST", "/build/cancel", "cancel a build: there is no builder in this version"],
  ["POST", "/session", "open a session: there is no builder in this version"],
  ["POST", "/grpc", "open a connection to BuildKit: there is no builder in this version"],
  ["GET", "/images/search", "search a registry"],
  ["GET", "/images/:name{.+}/attestations", "read attestations"],
  ["GET", "/containers/:id/attach/ws", "attach over a websocket: attach without one"],
  ["GET", "/containers/:id/checkpoints", "list checkpoints"],
  ["POST", "/containers/:id/checkpoints", "make a checkpoint"],
  ["DELETE", "/containers/:id/checkpoints/:name", "remove a checkpoint"],
  ["PUT", "/volumes/:name", "update a volume: only cluster volumes can be, and there is no swarm"],
];

/** Answers honestly for the rest of the API, so that clients can tell "not here" from "no such path". */
export function absentRoutes(): Hono<ServerEnv> {
  const routes = new Hono<ServerEnv>();
  for (const noun of SWARM_PATHS)
    for (const path of [`/${noun}`, `/${noun}/*`])
      routes.all(path, () => {
        throw new Fault("unavailable", NO_SWARM);
      });
  routes.get("/plugins", () => jsonResponse([]));
  routes.all("/plugins/*", () => {
    throw new Fault("unsupported", "Cannot manage plugins: plugins are not supported");
  });
  for (const [method, path, what] of UNSUPPORTED)
    routes.on(method, path, () => {
      throw new Fault("unsupported", `Cannot ${what}`);
    });
  return routes;
}
