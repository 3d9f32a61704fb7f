import type { NetworkInspect, NetworkSummary } from "#api";
import type { Jobs } from "#jobs";

type Network = Jobs["network.list"]["output"][number];

/** One row of GET /networks. */
export function toNetworkSummary(network: Network): NetworkSummary {
  const subnets = network.ipam.pools.map(({ subnet, gateway }) => ({ Subnet: subnet, Gateway: gateway }));
  return {
    Name: network.name,
    Id: network.id,
    Created: new Date(network.created).toISOString(),
    Scope: network.scope,
    Driver: network.driver,
    EnableIPv4: network.isIpv4,
    EnableIPv6: network.isIpv6,
    IPAM: { Driver: network.ipam.driver, Options: null, Config: subnets },
    Internal: network.isInternal,
    Attachable: network.isAttachable,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Options: network.options,
    Labels: network.labels,
  };
}

/** GET /networks/{id}: with the containers that run on it. */
export function toNetworkInspect({ network, endpoints }: Jobs["network.inspect"]["output"]): NetworkInspect {
  const containers = endpoints.map(
    ({ containerId, name, endpoint }) =>
      [
        containerId,
        {
          Name: name,
          EndpointID: endpoint.endpointId,
          MacAddress: endpoint.macAddress,
          IPv4Address: cidr(endpoint.address, endpoint.prefixLength),
          IPv6Address: cidr(endpoint.ipv6Address, endpoint.ipv6PrefixLength),
        },
      ] as const,
  );
  return { ...toNetworkSummary(network), Containers: Object.fromEntries(containers) };
}

function cidr(address: string, prefixLength: number): string {
  return address === "" ? "" : `${address}/${prefixLength}`;
}
