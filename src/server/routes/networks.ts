import { Hono } from "hono";
import { FiltersQuery } from "#api";
import type { JobRunner, ServerEnv } from "../environment.ts";
import { jsonResponse } from "../json.ts";
import { NETWORK_FILTERS, parseFilters } from "../translate/filters.ts";
import { toNetworkInspect, toNetworkSummary } from "../translate/network.ts";
import { named, query } from "../validate.ts";

export function networkRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .get("/networks", async (c) => {
      const filters = parseFilters(query(c, FiltersQuery).filters, NETWORK_FILTERS);
      const networks = await engine.run("network.list", { filters });
      return jsonResponse(networks.map(toNetworkSummary));
    })
    .get("/networks/:id", async (c) => {
      return jsonResponse(toNetworkInspect(await engine.run("network.inspect", { ref: named(c, "id") })));
    });
}
