import { contains, parseAddress, requirePrefix } from "../../addresses.ts";
import type {
  BridgeSettings,
  Carriage,
  Endpoint,
  EndpointRecord,
  Network,
  PublishedPort,
} from "../../driver.ts";
import type { Forwarding, Passage } from "../../firewall/index.ts";
import type { RelayRequest } from "../../relays.ts";
import type { BridgeOptions } from "./options.ts";

const LOOPBACKS = {
  4: requirePrefix("127.0.0.0/8", "the loopback").subnet,
  6: requirePrefix("::1/128", "the loopback").subnet,
} as const;

type Facts = Pick<
  BridgeSettings,
  "iptables" | "ip6tables" | "userlandProxy" | "publishMode" | "allowDirectRouting"
>;

/** How one port gets to its container. */
export interface Carried extends PublishedPort {
  readonly family: 4 | 6;
  /** The container's, of the same family where it has one; empty when it has none that this port could lead to. */
  readonly address: string;
  readonly isTranslated: boolean;
  /** A relay listens on it, for what translation cannot carry. */
  readonly isRelayed: boolean;
  readonly isDirect: boolean;
}

export interface Carrying {
  readonly network: Pick<Network, "isInternal">;
  readonly options: BridgeOptions;
  readonly settings: Facts;
}

/**
 * A port is translated where rules can do it, which keeps the caller's address. A relay has what they cannot do: the
 * other family, and IPv6's loopback, whose packets the kernel does not let out of it. With `--publish-mode input`
 * the relay has all, since only what ends on the host itself passes the host's INPUT rules.
 */
export function carry(
  port: PublishedPort,
  endpoint: Endpoint,
  { network, options, settings }: Carrying,
): Carried {
  const family = port.hostAddress.includes(":") ? 6 : 4;
  const own = family === 4 ? endpoint.address : endpoint.ipv6Address;
  const mode = options.gatewayModes[family];
  const hasRules = family === 4 ? settings.iptables : settings.iptables && settings.ip6tables;
  const isRouted = own !== "" && (mode === "routed" || mode === "isolated");
  const isOpen = !network.isInternal && !isRouted;
  const isInput = settings.publishMode === "input";
  const isOwnLoopback = family === 6 && isLoopback(port.hostAddress);
  const isTranslated = isOpen && hasRules && own !== "" && !isInput && !isOwnLoopback;
  const isWhole =
    isTranslated && (family === 4 || !(isAny(port.hostAddress) || isLinkLocal(port.hostAddress)));
  const isRelayed = isOpen && !isWhole && port.protocol !== "sctp" && (settings.userlandProxy || isInput);
  const isDirect =
    hasRules &&
    own !== "" &&
    !network.isInternal &&
    (mode === "routed" || (mode === "nat" && settings.allowDirectRouting));
  return {
    ...port,
    family,
    address: own || (family === 4 ? endpoint.ipv6Address : endpoint.address),
    isTranslated,
    isRelayed,
    isDirect,
  };
}

const isAny = (address: string): boolean => address === "0.0.0.0" || address === "::";
const isLinkLocal = (address: string): boolean => /^fe[89ab]/i.test(address);

function isLoopback(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && contains(LOOPBACKS[address.family], address);
}

export function forwardingOf(record: EndpointRecord, carrying: Carrying): Forwarding {
  const carried = record.ports.map((port) => carry(port, record.endpoint, carrying));
  return {
    containerId: record.containerId,
    bridge: carrying.options.name,
    ports: carried.filter(({ isTranslated, isDirect }) => isTranslated || isDirect),
    passages: carrying.options.isOpenInside ? [] : passagesOf(record),
  };
}

/** Links are known by IPv4 addresses alone. */
function passagesOf({ endpoint, linked = [] }: EndpointRecord): readonly Passage[] {
  const { address: from } = endpoint;
  return linked.flatMap(({ address: to, ports = [] }) =>
    ports.map(({ protocol, number: port }) => ({ family: 4, protocol, from, to, port })),
  );
}

export function relayOf(record: EndpointRecord, carrying: Carrying): RelayRequest {
  const carried = record.ports.map((port) => carry(port, record.endpoint, carrying));
  return {
    containerId: record.containerId,
    link: record.link,
    ports: carried.filter(({ isRelayed, address }) => isRelayed && address !== ""),
  };
}

/** For those that ask: who carries a port, and who can reach it. */
export function carriageOf(port: Carried, carrying: Carrying): Carriage {
  return {
    containerPort: port.containerPort,
    protocol: port.protocol,
    hostAddress: port.hostAddress,
    hostPort: port.hostPort,
    address: port.address,
    carrier: port.isTranslated ? "translation" : "relay",
    isHeld: port.isRelayed,
    reach: reachOf(port, carrying),
  };
}

/** Who can reach a port, in words. */
function reachOf(port: Carried, { network, settings }: Carrying): string {
  const { hostAddress, isTranslated, isRelayed, isDirect, containerPort, address } = port;
  if (network.isInternal) return "nobody outside its network, which is internal";
  if (!isTranslated && !isRelayed)
    return isDirect
      ? `every host with a route to ${address}, at port ${containerPort} there`
      : "nobody: neither a rule nor a relay carries it";
  if (isLoopback(hostAddress)) return "this host only";
  const rules = settings.publishMode === "input" ? ", as far as its INPUT rules allow" : "";
  const where = isAny(hostAddress) ? "this one" : hostAddress;
  if (!isTranslated && !isAny(hostAddress) && isLinkLocal(hostAddress))
    return `hosts on the link of ${hostAddress}${rules}`;
  return `every host that can reach ${where}${rules}`;
}
