import { Hono } from "hono";
import { isRepositoryPath } from "#oci";
import { blobRoutes } from "./blob-routes.ts";
import { type AppOptions, page, type Routes } from "./call.ts";
import { manifestRoutes } from "./manifest-routes.ts";
import { problemResponse, RegistryProblem } from "./problem.ts";
import { search } from "./search.ts";
import type { RegistryStore } from "./store.ts";

/** A repository's name may have slashes, so the address is read from its end. */
const ADDRESS =
  /^\/v2\/(?<name>.+)\/(?:(?<kind>blobs\/uploads|blobs|manifests|tags|referrers)\/(?<last>[^/]*))$/;
const REALM = "bunker registry";
const WRITES = ["PUT", "POST", "PATCH", "DELETE"];

/** The distribution protocol. Source: OCI distribution specification 1.1; Docker registry HTTP API V2 for `_catalog`. */
export function registryApp(options: AppOptions): Hono {
  const routes: Routes = { ...blobRoutes(options), ...manifestRoutes(options) };
  const app = new Hono();
  app.use(async (context, next) => {
    await options.users?.admit(context.req.header("authorization"), REALM);
    await next();
    context.res.headers.set("Docker-Distribution-API-Version", "registry/2.0");
  });
  app.get("/v2/", () => Response.json({}));
  app.get("/v2", () => Response.json({}));
  app.get("/v2/_catalog", (context) => catalog(options.store, new URL(context.req.url)));
  app.get("/v1/_ping", () => Response.json(true));
  app.get("/v1/search", (context) => search(options.store, new URL(context.req.url)));
  app.all("/v2/*", (context) => dispatch(routes, options, context.req.raw));
  app.notFound(() => problemResponse(new RegistryProblem(404, "UNSUPPORTED", "no such address")));
  app.onError((thrown) => {
    if (thrown instanceof RegistryProblem) return problemResponse(thrown);
    options.complain("a request could not be answered", thrown);
    return problemResponse(
      new RegistryProblem(500, "UNKNOWN", "the registry could not do this; see its log"),
    );
  });
  return app;
}

async function dispatch(routes: Routes, options: AppOptions, request: Request): Promise<Response> {
  const url = new URL(request.url);
  const { name = "", kind = "", last = "" } = ADDRESS.exec(decode(url.pathname))?.groups ?? {};
  const methods = routes[kind];
  if (methods === undefined) throw new RegistryProblem(404, "UNSUPPORTED", "no such address");
  if (!isRepositoryPath(name))
    throw new RegistryProblem(
      400,
      "NAME_INVALID",
      "a repository's name has lower-case letters, digits and . _ - /",
    );
  const isHead = request.method === "HEAD";
  const answer = methods[isHead ? "GET" : request.method];
  if (answer === undefined)
    throw new RegistryProblem(405, "UNSUPPORTED", `${request.method} is not known here`);
  if (options.origin !== undefined && WRITES.includes(request.method))
    throw new RegistryProblem(
      405,
      "UNSUPPORTED",
      "this registry is a cache of another one: push to that one",
    );
  if (request.method === "DELETE" && kind !== "blobs/uploads" && !options.mayDelete)
    throw new RegistryProblem(
      405,
      "UNSUPPORTED",
      "nothing can be deleted here: the registry runs without --delete",
    );
  return answer({ request, url, name, last });
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new RegistryProblem(404, "UNSUPPORTED", "no such address");
  }
}

async function catalog(store: RegistryStore, url: URL): Promise<Response> {
  const names = await store.repositories.names(url.searchParams.get("last") ?? "");
  return page(url, names, (repositories) => ({ repositories }));
}
