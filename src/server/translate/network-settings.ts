import { type EndpointSettings, isAtLeast, type NetworkSettings } from "#api";
import type { ContainerView } from "#jobs";

type Endpoint = ContainerView["endpoints"][number];
type PortMap = NetworkSettings["Ports"];

/** What Docker called the default before it had a name of its own. */
const DEFAULT_NETWORK = "bridge";

/** NetworkSettings of inspect. Below API 1.52 the first network's address is repeated on the top level. */
export function toNetworkSettings(view: ContainerView, version: string): NetworkSettings {
  const [first] = view.endpoints;
  const isUp = ["running", "paused", "restarting"].includes(view.container.state.status);
  const sandbox = first === undefined ? "" : view.container.id;
  return {
    SandboxID: sandbox,
    SandboxKey: "",
    Ports: isUp ? toPortMap(view) : {},
    Networks: toNetworks(view),
    ...(!isAtLeast(version, "1.52") && legacyFields(first)),
  };
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

/** Exposed ports that nobody published are null; a published one lists where, for IPv4 and IPv6 apart. */
export function toPortMap({ container, ports }: ContainerView): PortMap {
  const map: PortMap = {};
  for (const port of container.effective.exposedPorts) map[port] = null;
  for (const { containerPort, protocol, hostAddress, hostPort } of ports) {
    const key = `${containerPort}/${protocol}`;
    const addresses = hostAddress === "" ? ["0.0.0.0", "::"] : [hostAddress];
    const rows = addresses.map((HostIp) => ({ HostIp, HostPort: String(hostPort) }));
    map[key] = [...(map[key] ?? []), ...rows];
  }
  return map;
}

/** What was asked of each network, with what the container has there while it runs. */
export function toNetworks({ container, endpoints }: ContainerView): Record<string, EndpointSettings> {
  const { spec } = container;
  const mode = spec.host.networkMode;
  if (mode.startsWith("container:")) return {};
  const primary = mode === "default" ? DEFAULT_NETWORK : mode;
  const asked = Object.keys(spec.networks).map((name) => (name === "default" ? DEFAULT_NETWORK : name));
  const names = new Set([
    ...(endpoints.length === 0 ? [primary, ...asked] : asked.filter((name) => name !== mode)),
    ...endpoints.map(({ networkName }) => networkName),
  ]);
  return Object.fromEntries(
    [...names].map((name) => {
      const endpoint = endpoints.find(({ networkName }) => networkName === name);
      const wanted = spec.networks[name] ?? (name === DEFAULT_NETWORK ? spec.networks.default : undefined);
      return [name, toEndpointSettings(endpoint, wanted)];
    }),
  );
}

function toEndpointSettings(
  endpoint: Endpoint | undefined,
  wanted: ContainerView["container"]["spec"]["networks"][string] | undefined,
): EndpointSettings {
  const hasFixed = wanted?.ipv4Address !== undefined || wanted?.ipv6Address !== undefined;
  return {
    IPAMConfig: hasFixed
      ? {
          ...(wanted.ipv4Address !== undefined && { IPv4Address: wanted.ipv4Address }),
          ...(wanted.ipv6Address !== undefined && { IPv6Address: wanted.ipv6Address }),
        }
      : null,
    Links: orNull(wanted?.links),
    Aliases: orNull(wanted?.aliases),
    MacAddress: endpoint?.macAddress ?? wanted?.macAddress ?? "",
    DriverOpts:
      Object.keys(wanted?.driverOptions ?? {}).length === 0 ? null : (wanted?.driverOptions ?? null),
    GwPriority: 0,
    NetworkID: endpoint?.networkId ?? "",
    EndpointID: endpoint?.endpointId ?? "",
    Gateway: endpoint?.gateway ?? "",
    IPAddress: endpoint?.address ?? "",
    IPPrefixLen: endpoint?.prefixLength ?? 0,
    IPv6Gateway: endpoint?.ipv6Gateway ?? "",
    GlobalIPv6Address: endpoint?.ipv6Address ?? "",
    GlobalIPv6PrefixLen: endpoint?.ipv6PrefixLength ?? 0,
    DNSNames: orNull(endpoint?.aliases),
  };
}

function orNull(items: readonly string[] | undefined): readonly string[] | null {
  return items === undefined || items.length === 0 ? null : items;
}
