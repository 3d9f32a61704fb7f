/**
 * Owns networks, endpoints, addresses, published ports and the rules that carry them.
 * Refuses to know images and processes: a container here is an id, a name and a namespace.
 * Called by `jobs`; `daemon` names its drivers.
 */
export { addressBytes, parseAddress } from "./addresses.ts";
export { Cluster, type ClusterOptions } from "./cluster/cluster.ts";
export { etcdIpam } from "./cluster/ipam.ts";
export { type ClusterFlags, type ClusterSettings, readClusterSettings } from "./cluster/settings.ts";
export type * from "./driver.ts";
export { bridgeNetwork } from "./drivers/bridge/index.ts";
export { hostNetwork } from "./drivers/host/index.ts";
export { ipvlanNetwork } from "./drivers/ipvlan/index.ts";
export { macvlanNetwork } from "./drivers/macvlan/index.ts";
export { noNetwork } from "./drivers/none/index.ts";
export { overlayNetwork } from "./drivers/overlay/index.ts";
export { pluginNetworks } from "./drivers/remote/index.ts";
export { moveLinkedHost } from "./files.ts";
export type * from "./firewall/state.ts";
export { DEFAULT_POOLS } from "./ipam.ts";
export { portHolder } from "./port-holder.ts";
export { type NetworkOptions, openNetworks } from "./sandbox.ts";
