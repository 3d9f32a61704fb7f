import { Fault } from "#errors";
import { type IpAddress, parseAddress, parsePrefix } from "./addresses.ts";
import type { Lease } from "./addressing.ts";
import type { Carriage, Endpoint, EndpointRecord, EndpointRequest, Network, Sandbox } from "./driver.ts";

const MAC_ADDRESS = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i;
const SHORT_ID_LENGTH = 12;
/** Of a link. Source: IFNAMSIZ in linux/if.h, dev_valid_name in net/core/dev.c. */
const LINK_NAME = /^(?!\.\.?$)[^\s/:%]{1,15}$/;
const DEFAULT_LINK_PREFIX = "eth";
/** A network's option. */
export const LINK_PREFIX_OPTION = "com.docker.network.container_iface_prefix";
/** What an endpoint's driver options may say to all drivers. */
const LINK_NAME_OPTION = "com.docker.network.endpoint.ifname";
const SYSCTLS_OPTION = "com.docker.network.endpoint.sysctls";
const SYSCTL = /^(net\.[a-z0-9_]+\.[a-z0-9_]+\.IFNAME\.[a-z0-9_.]+)=(.+)$/;

/** 64 hexadecimal digits, as Docker's ids. */
export function randomId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}

/** `02:42:` and the IPv4 address, as Docker: the same address always has the same one, so no neighbour is misled. */
export function macOf(address: IpAddress | undefined): string {
  const bytes =
    address === undefined
      ? [...crypto.getRandomValues(new Uint8Array(4))]
      : [24n, 16n, 8n, 0n].map((shift) => Number((address.value >> shift) & 255n));
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

/** Who asks for an endpoint. */
export interface Asker {
  readonly containerId: string;
  readonly name: string;
  readonly hostname: string;
}

interface GivenEndpoint {
  readonly request: EndpointRequest;
  readonly lease: Lease;
  readonly interfaceName: string;
  /** Its hardware address is not known before its link. */
  readonly leavesMac?: boolean;
}

/** Without a link where the driver gives none: then `interfaceName` is empty. */
export function endpointOf(network: Network, asker: Asker, given: GivenEndpoint): Endpoint {
  const { request, lease, interfaceName } = given;
  const hasWayOut = !network.isInternal;
  return {
    networkId: network.id,
    networkName: network.name,
    endpointId: randomId(),
    macAddress: macAddressOf(given),
    address: lease.v4?.address ?? "",
    prefixLength: prefixLengthOf(lease.v4?.pool.subnet),
    gateway: hasWayOut ? (lease.v4?.pool.gateway ?? "") : "",
    ipv6Address: lease.v6?.address ?? "",
    ipv6PrefixLength: prefixLengthOf(lease.v6?.pool.subnet),
    ipv6Gateway: hasWayOut ? (lease.v6?.pool.gateway ?? "") : "",
    aliases: request.aliases,
    dnsNames: interfaceName === "" ? [] : dnsNamesOf(asker, request.aliases),
    interfaceName,
    gatewayPriority: request.gatewayPriority,
    driverOptions: request.driverOptions,
  };
}

function macAddressOf({ request, lease, interfaceName, leavesMac = false }: GivenEndpoint): string {
  if (interfaceName === "") return "";
  if (request.macAddress !== undefined) return requireMac(request.macAddress);
  if (lease.macAddress !== undefined) return lease.macAddress;
  return leavesMac ? "" : macOf(parseAddress(lease.v4?.address ?? ""));
}

const prefixLengthOf = (subnet = ""): number => parsePrefix(subnet)?.subnet.prefixLength ?? 0;

/** The container's name, what it is called on this network, its short id and its host name. */
export function dnsNamesOf(
  { containerId, name, hostname }: Asker,
  aliases: readonly string[],
): readonly string[] {
  const names = [name.replace(/^\//, ""), ...aliases, shortIdOf(containerId), hostname];
  return [...new Set(names.filter((one) => one !== ""))];
}

export const shortIdOf = (containerId: string): string => containerId.slice(0, SHORT_ID_LENGTH);

/** As asked, or the first of eth0, eth1, … that is free, or of another prefix. Throws `invalid` and `conflict`. */
export function chooseLinkName(
  request: EndpointRequest,
  taken: readonly string[],
  prefix = DEFAULT_LINK_PREFIX,
): string {
  const asked = request.driverOptions[LINK_NAME_OPTION];
  if (asked !== undefined) {
    if (!LINK_NAME.test(asked) || asked === "lo")
      throw new Fault("invalid", `Cannot call a link ${asked.slice(0, 60)}: it is no name for one`);
    if (!taken.includes(asked)) return asked;
    throw new Fault("conflict", `Cannot call a link ${asked}: the container has another of that name`);
  }
  const free = Array.from({ length: taken.length + 1 }, (_, index) => `${prefix}${index}`);
  return free.find((name) => !taken.includes(name)) ?? `${prefix}${taken.length}`;
}

/** What is to be set for its link, by sysctl key; `IFNAME` stands for the link's name. Throws `invalid`. */
export function sysctlsOf({ driverOptions, interfaceName }: Endpoint): Readonly<Record<string, string>> {
  const written = driverOptions[SYSCTLS_OPTION] ?? "";
  const found: Record<string, string> = {};
  for (const one of written.split(",").filter((text) => text !== "")) {
    const [, key, value] = SYSCTL.exec(one.trim()) ?? [];
    if (key === undefined || value === undefined)
      throw new Fault(
        "invalid",
        `invalid endpoint sysctl "${one.slice(0, 100)}": it must be net.X.Y.IFNAME.Z=VALUE`,
      );
    found[key.replace("IFNAME", interfaceName)] = value;
  }
  return found;
}

/**
 * The order in which endpoints are asked for a way out: by gateway priority, the highest first, then by the name of
 * the network.
 */
export function inOrderOfPriority(records: readonly EndpointRecord[]): readonly EndpointRecord[] {
  return [...records].sort(
    ({ endpoint: a }, { endpoint: b }) =>
      b.gatewayPriority - a.gatewayPriority || (a.networkName < b.networkName ? -1 : 1),
  );
}

/** Which endpoint has the default route, by family. */
export interface Exits {
  readonly v4?: EndpointRecord;
  readonly v6?: EndpointRecord;
}

export function exitsOf(records: readonly EndpointRecord[]): Exits {
  const ordered = inOrderOfPriority(records);
  const v4 = ordered.find(
    ({ way, endpoint }) =>
      way?.gateway !== undefined || (way?.isGatewayOnLink === true && endpoint.address !== ""),
  );
  const v6 = ordered.find(
    ({ way, endpoint }) =>
      way?.ipv6Gateway !== undefined || (way?.isGatewayOnLink === true && endpoint.ipv6Address !== ""),
  );
  return { ...(v4 !== undefined && { v4 }), ...(v6 !== undefined && { v6 }) };
}

/** The one that a container's ports go with; known before anything is joined. */
export function portEndpointOf(records: readonly EndpointRecord[]): EndpointRecord | undefined {
  const ordered = inOrderOfPriority(records);
  return (
    ordered.find(({ endpoint }) => endpoint.gateway !== "") ??
    ordered.find(({ endpoint }) => endpoint.ipv6Gateway !== "")
  );
}

/** Held by the supervisor; those of a relay are held by the relay, which listens on them. */
export function reservationsOf(ports: readonly Carriage[]): Sandbox["reservations"] {
  return ports
    .filter(({ isHeld, carrier }) => carrier === "translation" && !isHeld)
    .map(({ protocol, hostAddress, hostPort }) => ({
      family: hostAddress.includes(":") ? (6 as const) : (4 as const),
      protocol,
      address: hostAddress,
      port: hostPort,
    }));
}
