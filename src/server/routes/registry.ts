import { Hono } from "hono";
import { SearchQuery } from "#api";
import { Fault } from "#errors";
import { clientGone, type JobRunner, type ServerEnv } from "../environment.ts";
import { jsonResponse } from "../json.ts";
import { parseFilters, SEARCH_FILTERS } from "../translate/filters.ts";
import { toImageFound } from "../translate/image.ts";
import { registryEnvironment } from "../translate/registry-auth.ts";
import { named, query } from "../validate.ts";

/** As Docker's engine, where a client does not say. */
const USUAL_LIMIT = 25;

/** What is asked of registries, and nothing of it stays here. */
export function registryRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .get("/images/search", async (c) => {
      const { term = "", limit, filters } = query(c, SearchQuery);
      if (term === "") throw new Fault("invalid", "Cannot search: term must name what is looked for");
      const input = { term, limit: limit || USUAL_LIMIT, filters: parseFilters(filters, SEARCH_FILTERS) };
      const options = {
        signal: clientGone(c),
        environment: registryEnvironment(c.req.header("x-registry-auth")),
      };
      return jsonResponse((await engine.run("image.search", input, options)).map(toImageFound));
    })
    .get("/distribution/:name{.+}/json", async (c) => {
      const input = { reference: named(c, "name") };
      const options = {
        signal: clientGone(c),
        environment: registryEnvironment(c.req.header("x-registry-auth")),
      };
      const { descriptor, platforms } = await engine.run("image.distribution", input, options);
      const { mediaType, digest, size } = descriptor;
      return jsonResponse({ Descriptor: { mediaType, digest, size }, Platforms: platforms });
    });
}
