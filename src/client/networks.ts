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
