import { parsePrefix } from "../../addresses.ts";
import type { AddressPool, EndpointRecord, Network, PublishedPort } from "../../driver.ts";
import {
  ENABLE_IPV4,
  ENABLE_IPV6,
  EXPOSED_PORTS,
  GENERIC,
  INTERNAL,
  PORT_MAP,
  PROTOCOL_NUMBERS,
} from "./shapes.ts";

/** What the null IPAM driver has instead of a pool. Source: libnetwork, null IPAM driver. */
const NULL_POOL = { AddressSpace: "null", Pool: "0.0.0.0/0" };

export function createNetworkBody(network: Network): object {
  const { id, options, isIpv4, isIpv6, isInternal, ipam } = network;
  const pools = (family: 4 | 6) => ipam.pools.filter((pool) => pool.family === family).map(poolBody);
  const isNull = ipam.driver === "null" && isIpv4;
  return {
    NetworkID: id,
    Options: {
      [GENERIC]: options,
      [ENABLE_IPV4]: isIpv4,
      [ENABLE_IPV6]: isIpv6,
      ...(isInternal && { [INTERNAL]: true }),
    },
    IPv4Data: isNull ? [NULL_POOL] : pools(4),
    IPv6Data: pools(6),
  };
}

function poolBody({ subnet, gateway, auxiliary }: AddressPool): object {
  const others = Object.entries(auxiliary).map(([name, text]) => [name, within(text, subnet)] as const);
  return {
    Pool: subnet,
    ...(gateway !== "" && { Gateway: within(gateway, subnet) }),
    ...(others.length > 0 && { AuxAddresses: Object.fromEntries(others) }),
  };
}

/** With the prefix length of its subnet. */
const within = (address: string, subnet: string): string =>
  `${address}/${parsePrefix(subnet)?.subnet.prefixLength ?? 0}`;

/** What an endpoint has that was given or asked for; the driver may choose the rest. */
export function createEndpointBody(network: Network, { endpoint, ports }: EndpointRecord): object {
  const { endpointId, address, prefixLength, ipv6Address, ipv6PrefixLength, macAddress } = endpoint;
  return {
    NetworkID: network.id,
    EndpointID: endpointId,
    Interface: {
      Address: address === "" ? "" : `${address}/${prefixLength}`,
      AddressIPv6: ipv6Address === "" ? "" : `${ipv6Address}/${ipv6PrefixLength}`,
      MacAddress: macAddress,
    },
    Options: { ...endpoint.driverOptions, ...portOptions(ports) },
  };
}

export function portOptions(ports: readonly PublishedPort[]): object {
  const keys = ports.map(({ protocol, containerPort }) => `${containerPort}/${protocol}`);
  const exposed = ports.filter((_, index) => keys.indexOf(keys[index] ?? "") === index);
  return {
    [PORT_MAP]: ports.map(({ protocol, containerPort, hostAddress, hostPort }) => ({
      Proto: PROTOCOL_NUMBERS[protocol],
      Port: containerPort,
      HostIP: hostAddress,
      HostPort: hostPort,
      HostPortEnd: hostPort,
    })),
    [EXPOSED_PORTS]: exposed.map(({ protocol, containerPort }) => ({
      Proto: PROTOCOL_NUMBERS[protocol],
      Port: containerPort,
    })),
  };
}
