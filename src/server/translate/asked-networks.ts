import { type ContainerCreateBody, isAtLeast } from "#api";
import { Fault } from "#errors";
import type { ContainerSpec } from "#jobs";
import { type EndpointSpec, NOTHING_ASKED, toEndpointSpec, toMacAddress } from "./endpoint.ts";

interface Context {
  readonly version: string;
  /** `default`, `bridge`, `host`, `none`, `container:ID`, or a network's name or id. */
  readonly networkMode: string;
}

type Asked = ContainerSpec["networks"];

/**
 * What is asked of each network when a container is made. Below API 1.44 there was one, and the address of its card
 * was a setting of the container; until 1.51 such an address still means that of the mode's network.
 * Throws `invalid` in Docker's words.
 */
export function toAskedNetworks(body: ContainerCreateBody, context: Context): Asked {
  const given = Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (given.length > 1 && !isAtLeast(context.version, "1.44"))
    throw new Fault(
      "invalid",
      `Container cannot be created with multiple network endpoints: ${given.map(([name]) => name).join(", ")}`,
    );
  const asked = Object.fromEntries(
    given.map(([name, endpoint]) => [networkOf(name), toEndpointSpec(endpoint, context.version)] as const),
  );
  return withOwnAddress(asked, body.MacAddress, { ...context, networkMode: networkOf(context.networkMode) });
}

const networkOf = (name: string) => (name === "default" ? "bridge" : name);

function withOwnAddress(asked: Asked, macAddress: string, { version, networkMode }: Context): Asked {
  if (isAtLeast(version, "1.52")) return asked;
  if (!isAtLeast(version, "1.44")) return oneAddress(asked, macAddress, networkMode);
  if (macAddress === "" || !hasCard(networkMode)) return asked;
  const known = asked[networkMode];
  if (known === undefined && Object.keys(asked).length > 0)
    throw new Fault(
      "invalid",
      "unable to migrate container-wide MAC address to a specific network: HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks",
    );
  const address = toMacAddress(macAddress);
  if (known?.macAddress !== undefined && known.macAddress !== address)
    throw new Fault(
      "invalid",
      "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
    );
  return { ...asked, [networkMode]: { ...NOTHING_ASKED, ...known, macAddress: address } };
}

/** In the old days an address in the endpoint's own settings was not looked at. */
function oneAddress(asked: Asked, macAddress: string, networkMode: string): Asked {
  const bare = Object.entries(asked).map(([name, { macAddress: _, ...rest }]) => [name, rest] as const);
  if (macAddress === "") return Object.fromEntries(bare);
  if (!hasCard(networkMode))
    throw new Fault("invalid", "conflicting options: mac-address and the network mode");
  const [name = networkMode, endpoint = NOTHING_ASKED]: readonly [string?, EndpointSpec?] = bare[0] ?? [];
  return { [name]: { ...endpoint, macAddress: toMacAddress(macAddress) } };
}

const hasCard = (mode: string) => !["host", "none"].includes(mode) && !mode.startsWith("container:");

/** What the client should know of the way it asked. */
export function createWarnings(
  { MacAddress }: Pick<ContainerCreateBody, "MacAddress">,
  version: string,
): readonly string[] {
  if (MacAddress === "" || !isAtLeast(version, "1.44") || isAtLeast(version, "1.52")) return [];
  return [
    "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.",
  ];
}
