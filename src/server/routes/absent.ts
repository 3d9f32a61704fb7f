import { type Context, Hono } from "hono";
import { FiltersQuery } from "#api";
import { Fault, type FaultKind } from "#errors";
import type { ServerEnv } from "../environment.ts";
import { jsonResponse } from "../json.ts";
import { NO_SWARM, NOT_IN_SWARM } from "../swarm.ts";
import { PLUGIN_FILTERS, parseFilters } from "../translate/filters.ts";
import { named, query } from "../validate.ts";

/** Of each of these there are a list, and things to be made, looked at, changed and removed. */
const CLUSTER_NOUNS = ["services", "secrets", "configs"];

/** What only a manager of a swarm can do, and what Docker answers elsewhere. Source: moby, daemon/cluster. */
const FOR_MANAGERS: readonly (readonly [string, string])[] = [
  ["GET", "/swarm"],
  ["POST", "/swarm/update"],
  ["POST", "/swarm/unlock"],
  ["GET", "/swarm/unlockkey"],
  ["GET", "/nodes"],
  ["GET", "/nodes/:id"],
  ["DELETE", "/nodes/:id"],
  ["POST", "/nodes/:id/update"],
  ["GET", "/tasks"],
  ["GET", "/tasks/:id"],
  ["GET", "/tasks/:id/logs"],
  ["GET", "/services/:id/logs"],
  ...CLUSTER_NOUNS.flatMap((noun) => [
    ["GET", `/${noun}`] as const,
    ["POST", `/${noun}/create`] as const,
    ["GET", `/${noun}/:id`] as const,
    ["DELETE", `/${noun}/:id`] as const,
    ["POST", `/${noun}/:id/update`] as const,
  ]),
];

/** What would act on a plugin that somebody has installed, and nobody can. */
const OF_A_PLUGIN: readonly (readonly [string, string])[] = [
  ["GET", "/plugins/:name{.+}/json"],
  ["POST", "/plugins/:name{.+}/enable"],
  ["POST", "/plugins/:name{.+}/disable"],
  ["POST", "/plugins/:name{.+}/push"],
  ["POST", "/plugins/:name{.+}/set"],
  ["POST", "/plugins/:name{.+}/upgrade"],
  ["DELETE", "/plugins/:name{.+}"],
];

const NO_CLUSTER_VOLUMES = "volume update only valid for cluster volumes, but swarm is unavailable";
const NO_BUILDER = "there is no builder in this version";
const NO_PLUGINS = "plugins that are images are not supported; one that is a program of this host is used";
const NO_CHECKPOINTS = "checkpoints are not supported";

/** [method, path, what it is answered with] */
const REFUSED: readonly (readonly [string, string, FaultKind, string])[] = [
  ["POST", "/swarm/init", "unsupported", "Cannot begin a swarm: swarms are not supported"],
  ["POST", "/swarm/join", "unsupported", "Cannot join a swarm: swarms are not supported"],
  ["POST", "/swarm/leave", "unavailable", NOT_IN_SWARM],
  ["PUT", "/volumes/:name", "unavailable", NO_CLUSTER_VOLUMES],
  [
    "POST",
    "/build",
    "unsupported",
    `Cannot build an image: ${NO_BUILDER}, build elsewhere and pull the result`,
  ],
  ["POST", "/build/prune", "unsupported", `Cannot prune the build cache: ${NO_BUILDER}`],
  ["POST", "/build/cancel", "unsupported", `Cannot cancel a build: ${NO_BUILDER}`],
  ["POST", "/session", "unsupported", `Cannot open a session: ${NO_BUILDER}`],
  ["POST", "/grpc", "unsupported", `Cannot open a connection to BuildKit: ${NO_BUILDER}`],
  ["GET", "/images/:name{.+}/attestations", "unsupported", "Cannot read attestations: they are not kept"],
  ["GET", "/containers/:id/checkpoints", "unsupported", `Cannot list checkpoints: ${NO_CHECKPOINTS}`],
  ["POST", "/containers/:id/checkpoints", "unsupported", `Cannot make a checkpoint: ${NO_CHECKPOINTS}`],
  [
    "DELETE",
    "/containers/:id/checkpoints/:name",
    "unsupported",
    `Cannot remove a checkpoint: ${NO_CHECKPOINTS}`,
  ],
  ["GET", "/plugins/privileges", "unsupported", `Cannot ask for a plugin's privileges: ${NO_PLUGINS}`],
  ["POST", "/plugins/pull", "unsupported", `Cannot install a plugin: ${NO_PLUGINS}`],
  ["POST", "/plugins/create", "unsupported", `Cannot make a plugin: ${NO_PLUGINS}`],
];

/** Answers honestly for the rest of the API, so that clients can tell "not here" from "no such path". */
export function absentRoutes(): Hono<ServerEnv> {
  const routes = new Hono<ServerEnv>();
  for (const [method, path] of FOR_MANAGERS) routes.on(method, path, refusing("unavailable", NO_SWARM));
  for (const [method, path, kind, message] of REFUSED) routes.on(method, path, refusing(kind, message));
  routes.get("/plugins", (c) => {
    parseFilters(query(c, FiltersQuery).filters, PLUGIN_FILTERS);
    return jsonResponse([]);
  });
  for (const [method, path] of OF_A_PLUGIN)
    routes.on(method, path, (c: Context<ServerEnv>) => {
      throw new Fault("not_found", `plugin ${JSON.stringify(named(c, "name").slice(0, 256))} not found`);
    });
  return routes;
}

function refusing(kind: FaultKind, message: string) {
  return () => {
    throw new Fault(kind, message);
  };
}
