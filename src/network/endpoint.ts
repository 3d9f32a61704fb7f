import { Fault } from "#errors";
import { formatAddress, type IpAddress, parsePrefix } from "./addresses.ts";
import type { Endpoint, EndpointRequest, Network, PublishedPort, Sandbox } from "./driver.ts";

const MAC_ADDRESS = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i;

/** 64 hexadecimal digits, as Docker's ids. */
export function randomId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}

/** `02:42:` and the IPv4 address, as Docker: the same address always has the same one, so no neighbour is misled. */
function macOf(address: IpAddress): string {
  const bytes = [24n, 16n, 8n, 0n].map((shift) => Number((address.value >> shift) & 255n));
  return [0x02, 0x42, ...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Throws `invalid` for what is no hardware address of a single station. */
export function requireMac(text: string): string {
  if (MAC_ADDRESS.test(text)) return text.toLowerCase();
  throw new Fault(
    "invalid",
    `Cannot use the MAC address ${text}: it must be six pairs of digits, the first one even`,
  );
}

/** The n-th link of a container, counted from 0. */
export const linkName = (index: number): string => `eth${index}`;

export function endpointOf(
  network: Network,
  address: IpAddress | undefined,
  asked?: Pick<EndpointRequest, "aliases" | "driverOptions" | "gatewayPriority" | "macAddress">,
): Endpoint {
  const pool = network.ipam.pools.find(({ family }) => family === 4);
  const prefixLength = parsePrefix(pool?.subnet ?? "")?.subnet.prefixLength ?? 0;
  const macAddress = asked?.macAddress === undefined ? undefined : requireMac(asked.macAddress);
  return {
    networkId: network.id,
    networkName: network.name,
    endpointId: randomId(),
    macAddress: address === undefined ? "" : (macAddress ?? macOf(address)),
    address: address === undefined ? "" : formatAddress(address),
    prefixLength: address === undefined ? 0 : prefixLength,
    gateway: address === undefined ? "" : (pool?.gateway ?? ""),
    ipv6Address: "",
    ipv6PrefixLength: 0,
    ipv6Gateway: "",
    aliases: asked?.aliases ?? [],
    dnsNames: [],
    interfaceName: address === undefined ? "" : linkName(0),
    gatewayPriority: asked?.gatewayPriority ?? 0,
    driverOptions: asked?.driverOptions ?? {},
  };
}

/** Held by the supervisor; those of a relay are held by the relay, which listens on them. */
export function reservationsOf(ports: readonly PublishedPort[]): Sandbox["reservations"] {
  return ports
    .filter(({ hostAddress }) => !hostAddress.includes(":"))
    .map(({ protocol, hostAddress, hostPort }) => ({
      family: 4 as const,
      protocol,
      address: hostAddress,
      port: hostPort,
    }));
}
