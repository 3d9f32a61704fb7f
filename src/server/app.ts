import { Hono } from "hono";
import { API_VERSION, compareVersions, MINIMUM_API_VERSION } from "#api";
import { Fault } from "#errors";
import { ContainerDetails } from "./container-rows.ts";
import type { JobRunner, ServerEnv, ServerFacts } from "./environment.ts";
import { problemOf, problemResponse } from "./problem.ts";
import { absentRoutes } from "./routes/absent.ts";
import { archiveRoutes } from "./routes/archive.ts";
import { containerRoutes } from "./routes/containers.ts";
import { execRoutes } from "./routes/exec.ts";
import { imageRoutes } from "./routes/images.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { networkRoutes } from "./routes/networks.ts";
import { registryRoutes } from "./routes/registry.ts";
import { runRoutes } from "./routes/run.ts";
import { storeRoutes } from "./routes/store.ts";
import { streamRoutes } from "./routes/streams.ts";
import { systemRoutes } from "./routes/system.ts";
import { volumeContentRoutes } from "./routes/volume-content.ts";
import { volumeRoutes } from "./routes/volumes.ts";
import type { HijackableApp, Polled } from "./upgrade.ts";

export interface AppNeeds {
  readonly engine: JobRunner;
  readonly facts: ServerFacts;
}

export type App = HijackableApp & {
  fetch(request: Request, bindings?: ServerEnv["Bindings"]): Promise<Response>;
  /** Every method and path that is answered; `:name` is a part of the path, `:name{.+}` several. */
  readonly routes: readonly { readonly method: string; readonly path: string }[];
};

/** Where only the head of a reply may be asked for: elsewhere nobody would end what a reply's body is made of. */
const HEADS = /^\/(?:_ping|containers\/[^/]+\/archive)$/;
const VERSIONED = /^\/v(\d+\.\d+)(?=\/|$)/;

/** The Docker Engine API over an engine: version prefix, routes, error boundary, headers on every reply. */
export function createApp({ engine, facts }: AppNeeds): App {
  const app = new Hono<ServerEnv>({ getPath: (request) => splitPath(request.url).path });
  app.use(async (c, next) => {
    const { path, version = API_VERSION } = splitPath(c.req.url);
    demandSupported(version, facts);
    c.set("version", version);
    if (c.req.raw.method === "HEAD" && !HEADS.test(path)) return c.notFound();
    return next();
  });
  app.options("*", (c) => c.body(null, 200));
  const details = new ContainerDetails();
  const tables = [
    systemRoutes(engine, facts),
    jobRoutes(engine),
    containerRoutes(engine, details),
    runRoutes(engine),
    streamRoutes(engine),
    archiveRoutes(engine),
    execRoutes(engine),
    imageRoutes(engine),
    registryRoutes(engine),
    volumeRoutes(engine),
    volumeContentRoutes(engine),
    networkRoutes(engine),
    storeRoutes(engine),
    absentRoutes(),
  ];
  for (const table of tables) app.route("/", table);
  app.notFound(() => problemResponse({ status: 404, message: "page not found" }));
  app.onError((thrown) => problemResponse(problemOf(thrown)));
  const headers = commonHeaders(facts);
  return {
    headers,
    polled: (asked) => inspected(asked, { engine, facts, details }),
    routes: tables.flatMap(({ routes }) => routes.map(({ method, path }) => ({ method, path }))),
    async fetch(request, bindings = {}) {
      const response = await app.fetch(request, bindings);
      for (const [name, value] of headers) response.headers.set(name, value);
      return response;
    },
  };
}

/** What GET /containers/{id}/json tells, without a route; undefined where it would tell of a fault. */
async function inspected(
  { ref, version = API_VERSION }: Polled,
  { engine, facts, details }: AppNeeds & { readonly details: ContainerDetails },
): Promise<string | undefined> {
  try {
    demandSupported(version, facts);
    return details.json(await engine.run("container.inspect", { ref, size: false }), version);
  } catch {
    return undefined;
  }
}

/** What every reply says of the server. */
function commonHeaders({ version, isExperimental = false }: ServerFacts): HijackableApp["headers"] {
  return [
    ["Api-Version", API_VERSION],
    ["Docker-Experimental", String(isExperimental)],
    ["Ostype", "linux"],
    ["Server", `bunker/${version} (linux)`],
  ];
}

/** The path without its version, without doubled slashes and without one at its end. */
export function splitPath(url: string): { readonly path: string; readonly version?: string } {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const [raw = "/"] = url.slice(start < 0 ? url.length : start).split(/[?#]/, 1);
  const path = raw.replace(/\/{2,}/g, "/");
  const version = VERSIONED.exec(path)?.[1];
  const bare = version === undefined ? path : path.slice(version.length + 2);
  return { path: bare.replace(/(?:\/|%2[fF])+$/, "") || "/", ...(version !== undefined && { version }) };
}

function demandSupported(version: string, { minimumApiVersion = MINIMUM_API_VERSION }: ServerFacts): void {
  if (version === API_VERSION) return;
  if (compareVersions(version, API_VERSION) > 0)
    throw new Fault(
      "invalid",
      `client version ${version} is too new. Maximum supported API version is ${API_VERSION}`,
    );
  if (compareVersions(version, minimumApiVersion) < 0)
    throw new Fault(
      "invalid",
      `client version ${version} is too old. Minimum supported API version is ${minimumApiVersion}, please upgrade your client to a newer version`,
    );
}
