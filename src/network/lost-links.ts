import type { Netlink } from "#host";
import type { EndpointRecord, NamespaceHolder } from "./driver.ts";
import { LiveNamespace } from "./live.ts";
import type { NetworkStore } from "./store.ts";

/**
 * Of a running container's endpoints those whose link is not there: their making or removal was cut short. None of one
 * that ends just now.
 */
export function recordsWithoutLink(
  { store, netlink }: { readonly store: NetworkStore; readonly netlink: Netlink },
  containerId: string,
  holder: NamespaceHolder,
): readonly EndpointRecord[] {
  const records = store.ofContainer(containerId).filter(({ endpoint }) => endpoint.interfaceName !== "");
  if (records.length === 0) return [];
  using live = LiveNamespace.find(holder, netlink);
  return live === undefined ? [] : records.filter(({ endpoint }) => !live.hasLink(endpoint.interfaceName));
}
