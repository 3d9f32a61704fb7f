import { findLink, inNetworkNamespace, isAlive, Netlink } from "#host";
import type { EndpointRecord, NamespaceHolder } from "./driver.ts";
import type { NetworkStore } from "./store.ts";

/** Of a running container's endpoints those whose link is not there: their making or removal was cut short. */
export function recordsWithoutLink(
  store: NetworkStore,
  containerId: string,
  { pid, startTicks }: NamespaceHolder,
): readonly EndpointRecord[] {
  const records = store.ofContainer(containerId).filter(({ endpoint }) => endpoint.interfaceName !== "");
  if (records.length === 0 || !isAlive(pid, startTicks)) return [];
  using inside = inNetworkNamespace(`/proc/${pid}/ns/net`, () => new Netlink());
  return records.filter(({ endpoint }) => findLink(inside, endpoint.interfaceName) === undefined);
}
