import { type EndpointSettings, isAtLeast, type NetworkSettings } from "#api";
import type { ContainerView } from "#jobs";

type Endpoint = ContainerView["endpoints"][number];
type EndpointSpec = ContainerView["container"]["spec"]["networks"][string];
type PortMap = NetworkSettings["Ports"];

/** What Docker called the default before it had a name of its own. */
const DEFAULT_NETWORK = "bridge";
const PREDEFINED = [DEFAULT_NETWORK, "host", "none"];
const SHORT_ID_LETTERS = 12;

/** NetworkSettings of inspect. Below API 1.52 the address on the default bridge is repeated on the top level. */
export function toNetworkSettings(view: ContainerView, version: string): NetworkSettings {
  const hasOwn = isUp(view) && !view.container.spec.host.networkMode.startsWith("container:");
  return {
    SandboxID: hasOwn ? view.container.id : "",
    // The namespace has no name of its own: it lives as long as its processes.
    SandboxKey: hasOwn ? `/proc/${view.container.state.pid}/ns/net` : "",
    Ports: toPortMap(view),
    Networks: toNetworks(view, version),
    ...(!isAtLeast(version, "1.52") &&
      legacyFields(view.endpoints.find(({ networkName }) => networkName === DEFAULT_NETWORK))),
  };
}

function isUp({ container }: ContainerView): boolean {
  return ["running", "paused"].includes(container.state.status);
}

function legacyFields(endpoint: Endpoint | undefined) {
  return {
    Bridge: "",
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: endpoint?.endpointId ?? "",
    Gateway: endpoint?.gateway ?? "",
    GlobalIPv6Address: endpoint?.ipv6Address ?? "",
    GlobalIPv6PrefixLen: endpoint?.ipv6PrefixLength ?? 0,
    IPAddress: endpoint?.address ?? "",
    IPPrefixLen: endpoint?.prefixLength ?? 0,
    IPv6Gateway: endpoint?.ipv6Gateway ?? "",
    MacAddress: endpoint?.macAddress ?? "",
  };
}

/** Where ports mean something: a running container that has an address. */
export function exposedPorts(view: ContainerView): readonly string[] {
  const hasAddress = view.endpoints.some(({ address, ipv6Address }) => `${address}${ipv6Address}` !== "");
  return isUp(view) && hasAddress ? view.container.effective.exposedPorts : [];
}

/** Exposed ports that nobody published are null; a published one lists where, for IPv4 and IPv6 apart. */
export function toPortMap(view: ContainerView): PortMap {
  const map: PortMap = {};
  for (const port of exposedPorts(view)) map[port] = null;
  for (const { containerPort, protocol, hostAddress, hostPort } of isUp(view) ? view.ports : []) {
    const key = `${containerPort}/${protocol}`;
    const addresses = hostAddress === "" ? ["0.0.0.0", "::"] : [hostAddress];
    const rows = addresses.map((HostIp) => ({ HostIp, HostPort: String(hostPort) }));
    map[key] = [...(map[key] ?? []), ...rows];
  }
  return map;
}

/** What was asked of each network, with what the container has there while it runs. */
export function toNetworks(view: ContainerView, version: string): Record<string, EndpointSettings> {
  const { container, endpoints } = view;
  const { spec } = container;
  const mode = spec.host.networkMode;
  if (mode.startsWith("container:")) return {};
  const asked = Object.keys(spec.networks).map(networkOf);
  const names = new Set([
    ...(asked.length === 0 && endpoints.length === 0 ? [networkOf(mode)] : asked),
    ...endpoints.map(({ networkName }) => networkName),
  ]);
  return Object.fromEntries(
    [...names].sort().map((name) => {
      const endpoint = endpoints.find(({ networkName }) => networkName === name);
      const wanted = spec.networks[name] ?? (name === DEFAULT_NETWORK ? spec.networks.default : undefined);
      return [name, toEndpointSettings(view, { name, endpoint, wanted, version })];
    }),
  );
}

const networkOf = (name: string) => (name === "default" ? DEFAULT_NETWORK : name);

interface Place {
  readonly name: string;
  readonly endpoint: Endpoint | undefined;
  readonly wanted: EndpointSpec | undefined;
  readonly version: string;
}

function toEndpointSettings(view: ContainerView, place: Place): EndpointSettings {
  const { name, endpoint, wanted, version } = place;
  const names = namesOn(view, place);
  return {
    IPAMConfig: toIpamConfig(wanted),
    Links: orNull(wanted?.links),
    Aliases: orNull(aliasesOn(view, place)),
    MacAddress: endpoint?.macAddress ?? wanted?.macAddress ?? "",
    DriverOpts: Object.keys(wanted?.driverOptions ?? {}).length > 0 ? (wanted?.driverOptions ?? null) : null,
    ...(isAtLeast(version, "1.48") && { GwPriority: wanted?.gatewayPriority ?? 0 }),
    NetworkID: endpoint?.networkId ?? view.networkIds?.[name] ?? "",
    EndpointID: endpoint?.endpointId ?? "",
    Gateway: endpoint?.gateway ?? "",
    IPAddress: endpoint?.address ?? "",
    IPPrefixLen: endpoint?.prefixLength ?? 0,
    IPv6Gateway: endpoint?.ipv6Gateway ?? "",
    GlobalIPv6Address: endpoint?.ipv6Address ?? "",
    GlobalIPv6PrefixLen: endpoint?.ipv6PrefixLength ?? 0,
    ...(isAtLeast(version, "1.44") && { DNSNames: orNull(names) }),
  };
}

function toIpamConfig(wanted: EndpointSpec | undefined): EndpointSettings["IPAMConfig"] {
  const { ipv4Address, ipv6Address, linkLocalAddresses = [] } = wanted ?? {};
  if (ipv4Address === undefined && ipv6Address === undefined && linkLocalAddresses.length === 0) return null;
  return {
    ...(ipv4Address !== undefined && { IPv4Address: ipv4Address }),
    ...(ipv6Address !== undefined && { IPv6Address: ipv6Address }),
    ...(linkLocalAddresses.length > 0 && { LinkLocalIPs: linkLocalAddresses }),
  };
}

/** Only a user-defined network has names, and only from the first start on. */
function namesOn({ container }: ContainerView, { name, endpoint, wanted }: Place): readonly string[] {
  if (PREDEFINED.includes(name)) return [];
  if (endpoint !== undefined) return endpoint.dnsNames;
  if (container.state.status === "created") return [];
  const short = container.id.slice(0, SHORT_ID_LETTERS);
  return [...new Set([container.name, ...(wanted?.aliases ?? []), short, container.effective.hostname])];
}

/** Below API 1.45 the short id and the host name stood among the aliases, once it had been started. */
function aliasesOn({ container }: ContainerView, { name, wanted, version }: Place): readonly string[] {
  const asked = wanted?.aliases ?? [];
  const isOld = !isAtLeast(version, "1.45") && container.state.status !== "created";
  if (!isOld || PREDEFINED.includes(name)) return asked;
  return [...new Set([...asked, container.id.slice(0, SHORT_ID_LETTERS), container.effective.hostname])];
}

function orNull(items: readonly string[] | undefined): readonly string[] | null {
  return items === undefined || items.length === 0 ? null : items;
}
