import { Hono } from "hono";
import {
  EndpointBody,
  FiltersQuery,
  isAtLeast,
  NetworkConnectBody,
  NetworkCreateBody,
  NetworkDisconnectBody,
  NetworkInspectQuery,
  NetworkRemoveQuery,
} from "#api";
import { Fault } from "#errors";
import type { JobRunner, ServerEnv } from "../environment.ts";
import { emptyResponse, jsonResponse } from "../json.ts";
import { toEndpointSpec } from "../translate/endpoint.ts";
import { NETWORK_FILTERS, NETWORK_PRUNE_FILTERS, parseFilters } from "../translate/filters.ts";
import { toNetworkInspect, toNetworkSummary } from "../translate/network.ts";
import { toNetworkRequest } from "../translate/network-create.ts";
import { body, named, query, requiredBody } from "../validate.ts";

/** Networks, and beside Docker's API what is wrong with them and which ports are open. */
export function networkRoutes(engine: JobRunner): Hono<ServerEnv> {
  const routes = new Hono<ServerEnv>()
    .get("/networks", async (c) => {
      const version = c.get("version");
      const filters = parseFilters(query(c, FiltersQuery).filters, NETWORK_FILTERS);
      const networks = await engine.run("network.list", { filters });
      if (isAtLeast(version, "1.28"))
        return jsonResponse(networks.map((network) => toNetworkSummary(network, version)));
      const whole = networks.map(({ id }) => engine.run("network.inspect", { ref: id }));
      return jsonResponse((await Promise.all(whole)).map((one) => toNetworkInspect(one, version)));
    })
    .get("/networks/:id", async (c) => {
      const { scope = "" } = query(c, NetworkInspectQuery);
      const input = { ref: named(c, "id"), ...(scope !== "" && { scope }) };
      return jsonResponse(toNetworkInspect(await engine.run("network.inspect", input), c.get("version")));
    })
    .post("/networks/create", async (c) => {
      const request = toNetworkRequest(await requiredBody(c, NetworkCreateBody), c.get("version"));
      const { id, warning } = await engine.run("network.create", request);
      return jsonResponse({ Id: id, Warning: warning }, 201);
    })
    .post("/networks/prune", async (c) => {
      const filters = parseFilters(query(c, FiltersQuery).filters, NETWORK_PRUNE_FILTERS);
      const { deleted } = await engine.run("network.prune", { filters });
      return jsonResponse({ NetworksDeleted: deleted.length === 0 ? null : deleted });
    })
    .delete("/networks/:id", async (c) => {
      const { force } = query(c, NetworkRemoveQuery);
      await engine.run("network.remove", { ref: named(c, "id"), force });
      return emptyResponse(204);
    });
  membership(routes, engine);
  return routes
    .get("/bunker/network/doctor", async () => jsonResponse(await engine.run("network.doctor", {})))
    .get("/bunker/ports", async () => jsonResponse(await engine.run("network.ports", {})));
}

function membership(routes: Hono<ServerEnv>, engine: JobRunner): void {
  routes
    .post("/networks/:id/connect", async (c) => {
      const { Container, EndpointConfig } = await requiredBody(c, NetworkConnectBody);
      const asked = EndpointConfig ?? EndpointBody.parse({});
      // Docker took the address of a card from here in API 1.54 first.
      const isHeeded = isAtLeast(c.get("version"), "1.54");
      await engine.run("network.connect", {
        ref: named(c, "id"),
        container: namedContainer(Container),
        endpoint: toEndpointSpec(isHeeded ? asked : { ...asked, MacAddress: "" }, c.get("version")),
      });
      return emptyResponse(200);
    })
    .post("/networks/:id/disconnect", async (c) => {
      const { Container, Force } = await body(c, NetworkDisconnectBody);
      await engine.run("network.disconnect", {
        ref: named(c, "id"),
        container: namedContainer(Container),
        force: Force,
      });
      return emptyResponse(200);
    });
}

function namedContainer(text: string): string {
  if (text === "")
    throw new Fault("invalid", `invalid name or ID supplied: "": the field Container names the container`);
  return text;
}
