import type { NetworkFinding, PublishedPortReport } from "#api";
import type { EndpointBody, NetworkBody } from "./bodies.ts";
import { filtersQuery, segment } from "./filters.ts";
import type { Transport } from "./transport.ts";
import type { Filters, NetworkSummary } from "./types.ts";

/** The endpoints of networks. */
export function listNetworks(transport: Transport, filters?: Filters): Promise<NetworkSummary[]> {
  return transport.json("GET", "/networks", { query: { filters: filtersQuery(filters) } });
}

export function inspectNetwork(transport: Transport, name: string, isVerbose = false): Promise<unknown> {
  return transport.json("GET", `/networks/${segment(name)}`, { query: { verbose: isVerbose || undefined } });
}

export function createNetwork(
  transport: Transport,
  body: NetworkBody,
): Promise<{ readonly Id: string; readonly Warning?: string }> {
  return transport.json("POST", "/networks/create", { body });
}

export async function removeNetwork(transport: Transport, name: string, force = false): Promise<void> {
  await transport.send("DELETE", `/networks/${segment(name)}`, { query: { force: force || undefined } });
}

export async function connectNetwork(
  transport: Transport,
  name: string,
  body: { readonly Container: string; readonly EndpointConfig: EndpointBody },
): Promise<void> {
  await transport.send("POST", `/networks/${segment(name)}/connect`, { body });
}

export async function disconnectNetwork(
  transport: Transport,
  name: string,
  body: { readonly Container: string; readonly Force: boolean },
): Promise<void> {
  await transport.send("POST", `/networks/${segment(name)}/disconnect`, { body });
}

export function pruneNetworks(
  transport: Transport,
  filters: Filters,
): Promise<{ readonly NetworksDeleted?: readonly string[] | null }> {
  return transport.json("POST", "/networks/prune", { query: { filters: filtersQuery(filters) } });
}

export function diagnoseNetworks(transport: Transport): Promise<NetworkFinding[]> {
  return transport.json("GET", "/bunker/network/doctor");
}

export function listPublishedPorts(transport: Transport): Promise<PublishedPortReport[]> {
  return transport.json("GET", "/bunker/ports");
}
