import type { Container, ContainerSpec, EndpointSpec } from "#container";
import { Fault } from "#errors";
import type { EndpointRequest, Network, Networks } from "#network";

const DEFAULT_NETWORK = "bridge";
const NOTHING_ASKED: EndpointSpec = {
  aliases: [],
  links: [],
  linkLocalAddresses: [],
  gatewayPriority: 0,
  driverOptions: {},
};

/** The network a mode means, by the name or id that was given. */
export function networkOfMode(mode: string): string {
  return mode === "" || mode === "default" ? DEFAULT_NETWORK : mode;
}

/**
 * The networks of a new container by their names, that of its mode among them: afterwards these are what it is on,
 * and the mode no longer matters. Throws `not_found`, and `invalid` for what a network cannot do.
 */
export function settleNetworks(
  networks: Pick<Networks, "find">,
  spec: ContainerSpec,
): ContainerSpec["networks"] {
  const mode = networkOfMode(spec.host.networkMode);
  const asked = { [mode]: NOTHING_ASKED, ...spec.networks };
  const settled: Record<string, EndpointSpec> = {};
  for (const [written, endpoint] of Object.entries(asked)) {
    const network = networks.find(networkOfMode(written));
    if (network === undefined) throw unknownNetwork(written);
    checkEndpoint(network, endpoint);
    if (["host", "null"].includes(network.driver) && Object.keys(asked).length > 1)
      throw privateMode(network);
    const isMere = written === mode && settled[network.name] !== undefined;
    if (!isMere) settled[network.name] = endpoint;
  }
  return settled;
}

/** The default is missing only where the daemon was told to have none. */
function unknownNetwork(written: string): Fault {
  const hint =
    networkOfMode(written) === DEFAULT_NETWORK
      ? ": this daemon has no bridge of its own (--bridge none); name another network (--network NAME)"
      : "";
  return new Fault("not_found", `network ${networkOfMode(written).slice(0, 256)} not found${hint}`);
}

function privateMode({ driver }: Network): Fault {
  return new Fault(
    "denied",
    driver === "host"
      ? "container cannot be disconnected from host network or connected to host network"
      : "container cannot be connected to multiple networks with one of the networks in private (none) mode",
  );
}

/** Throws `invalid`, in Docker's words, for what cannot be asked of that network. */
export function checkEndpoint(network: Network, endpoint: EndpointSpec): void {
  const { ipv4Address = "", ipv6Address = "", aliases } = endpoint;
  if (network.isConfigOnly === true)
    throw new Fault("denied", `cannot use network ${network.name}: it is a configuration for other networks`);
  const isPredefined = ["bridge", "host", "none"].includes(network.name);
  if (aliases.length > 0 && isPredefined)
    throw new Fault(
      "invalid",
      "network-scoped alias is supported only for containers in user defined networks",
    );
  if ((ipv4Address !== "" || ipv6Address !== "") && isPredefined)
    throw new Fault("invalid", "user specified IP address is supported on user defined networks only");
  for (const [family, address] of [
    [4, ipv4Address],
    [6, ipv6Address],
  ] as const)
    if (address !== "" && !hasOwnSubnet(network, family))
      throw new Fault(
        "invalid",
        "user specified IP address is supported only when connecting to networks with user configured subnets",
      );
}

function hasOwnSubnet({ ipam }: Network, family: 4 | 6): boolean {
  return ipam.pools.some((pool) => pool.family === family && pool.isAsked === true);
}

/** What is asked of each network: that of the mode first, which becomes eth0, then the others by name. */
export function endpointRequests({ spec }: Pick<Container, "spec">): readonly EndpointRequest[] {
  const mode = networkOfMode(spec.host.networkMode);
  const names = Object.keys(spec.networks).sort(
    (a, b) => Number(b === mode) - Number(a === mode) || (a < b ? -1 : 1),
  );
  return names.map((name) => endpointRequest(name, spec.networks[name] ?? NOTHING_ASKED));
}

export function endpointRequest(network: string, endpoint: EndpointSpec): EndpointRequest {
  const { ipv4Address = "", ipv6Address = "", macAddress = "", ...rest } = endpoint;
  return {
    network,
    ...rest,
    ...(ipv4Address !== "" && { address: ipv4Address }),
    ...(ipv6Address !== "" && { ipv6Address }),
    ...(macAddress !== "" && { macAddress }),
  };
}
