import { isAtLeast, type NetworkInspect, type NetworkSummary } from "#api";
import type { Jobs } from "#jobs";
import { countAddresses } from "./address-count.ts";

type Network = Jobs["network.list"]["output"][number];
type Members = Jobs["network.inspect"]["output"]["endpoints"];

const PREDEFINED = ["bridge", "host", "none"];

/** One row of GET /networks. Below API 1.28 a row is all that inspect says. */
export function toNetworkSummary(network: Network, version: string): NetworkSummary {
  return {
    ...toNetwork(network, version),
    ...(!isAtLeast(version, "1.52") && { Containers: {} }),
  };
}

/** GET /networks/{id}: with the containers that run on it. */
export function toNetworkInspect(
  { network, endpoints }: Jobs["network.inspect"]["output"],
  version: string,
): NetworkInspect {
  return {
    ...toNetwork(network, version),
    Containers: toContainers(endpoints),
    ...(isAtLeast(version, "1.52") && { Status: { IPAM: { Subnets: toStatus(network, endpoints) } } }),
  };
}

function toNetwork(network: Network, version: string) {
  return {
    Name: network.name,
    Id: network.id,
    Created: new Date(network.created).toISOString(),
    Scope: network.scope,
    Driver: network.driver,
    ...(isAtLeast(version, "1.48") && { EnableIPv4: network.isIpv4 }),
    EnableIPv6: network.isIpv6,
    IPAM: {
      Driver: network.ipam.driver,
      Options: PREDEFINED.includes(network.name) ? null : network.ipam.options,
      Config: network.ipam.pools.filter(({ subnet }) => subnet !== "").map(toIpamConfig),
    },
    Internal: network.isInternal,
    Attachable: network.isAttachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom ?? "" },
    ConfigOnly: network.isConfigOnly === true,
    Options: askedOptions(network),
    Labels: network.labels,
  };
}

const LINK_OPTIONS = ["com.docker.network.bridge.name", "parent"];

/**
 * Without the links that a driver named itself, after the network's id: Compose makes a network anew that has options
 * which nobody asked for.
 */
function askedOptions({ id, options }: Network) {
  const isOwn = ([name, value]: readonly [string, string]) => {
    const [, part] = /^[a-z]+-([0-9a-f]{8,})$/.exec(value) ?? [];
    return LINK_OPTIONS.includes(name) && part !== undefined && id.startsWith(part);
  };
  return Object.fromEntries(Object.entries(options).filter((entry) => !isOwn(entry)));
}

function toIpamConfig({ subnet, range, gateway, auxiliary }: Network["ipam"]["pools"][number]) {
  return {
    Subnet: subnet,
    ...(range !== "" && { IPRange: range }),
    ...(gateway !== "" && { Gateway: gateway }),
    ...(Object.keys(auxiliary).length > 0 && { AuxiliaryAddresses: auxiliary }),
  };
}

function toContainers(members: Members): NetworkInspect["Containers"] {
  const rows = members.map(
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
  return Object.fromEntries(rows);
}

/** Of this host: what other hosts have taken from a shared network is not known here. */
function toStatus({ ipam }: Network, members: Members) {
  const taken = members.flatMap(({ endpoint }) => [endpoint.address, endpoint.ipv6Address]);
  const subnets = ipam.pools
    .filter(({ subnet }) => subnet !== "")
    .map((pool) => {
      const { inUse, available } = countAddresses(pool, [
        ...taken,
        pool.gateway,
        ...Object.values(pool.auxiliary),
      ]);
      return [pool.subnet, { IPsInUse: inUse, DynamicIPsAvailable: available }] as const;
    });
  return Object.fromEntries(subnets);
}

function cidr(address: string, prefixLength: number): string {
  return address === "" ? "" : `${address}/${prefixLength}`;
}
