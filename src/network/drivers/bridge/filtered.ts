import type { BridgeSettings, Network } from "../../driver.ts";
import type { BridgeSubnet, FilteredBridge } from "../../firewall/index.ts";
import type { BridgeOptions, GatewayMode } from "./options.ts";

/** What the firewall shall say of a network's bridge. */
export function filteredBridge(
  network: Network,
  options: BridgeOptions,
  settings: Pick<BridgeSettings, "allowDirectRouting">,
): FilteredBridge {
  return {
    name: options.name,
    subnets: network.ipam.pools.map(({ family, subnet }): BridgeSubnet => {
      const mode = options.gatewayModes[family];
      return {
        family,
        subnet,
        isMasqueraded:
          options.isMasqueraded && !network.isInternal && (mode === "nat" || mode === "nat-unprotected"),
        sourceAddress: options.sources[family],
        directReach: directReach(mode, settings.allowDirectRouting),
      };
    }),
    isOpenInside: options.isOpenInside,
    isInternal: network.isInternal,
    trustedInterfaces: options.trustedInterfaces,
  };
}

function directReach(mode: GatewayMode, allowsDirect: boolean): BridgeSubnet["directReach"] {
  if (mode === "nat-unprotected") return "all";
  return mode === "routed" || (mode === "nat" && allowsDirect) ? "published" : "none";
}
