import { Fault } from "#errors";
import type { Network, NetworkRequest } from "./driver.ts";
import { randomId } from "./endpoint.ts";
import type { NetworkStore } from "./store.ts";

/** The driver that a network has which is only options for others. Source: Docker Engine API, `ConfigOnly`. */
const NO_DRIVER = "null";

export function isConfiguration({ isConfigOnly }: Network): boolean {
  return isConfigOnly === true;
}

/** Throws `denied`, as Docker does, for what a configuration cannot say. Clients name a driver always: it does not count. */
export function configurationOf(request: NetworkRequest): Network {
  if (request.configFrom !== undefined)
    throw new Fault("denied", "a configuration network cannot depend on another configuration network");
  if (request.isInternal || request.isAttachable)
    throw new Fault(
      "denied",
      "configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.",
    );
  return {
    id: randomId(),
    name: request.name,
    driver: NO_DRIVER,
    created: Date.now(),
    scope: "local",
    ipam: { ...request.ipam, driver: request.ipam.driver || "default" },
    options: request.options,
    labels: request.labels,
    isInternal: false,
    isAttachable: false,
    isIpv4: request.isIpv4 ?? true,
    isIpv6: request.isIpv6 ?? false,
    isConfigOnly: true,
  };
}

/**
 * The request with what its configuration says. Throws `not_found` when there is none of that name, `denied` when it is
 * none, or when the request says itself what is the configuration's to say.
 */
export function withConfiguration(
  request: NetworkRequest,
  store: Pick<NetworkStore, "named">,
): NetworkRequest {
  const { configFrom } = request;
  if (configFrom === undefined || request.isConfigOnly === true) return request;
  const source = requireSource({ configFrom }, store);
  if (saysItself(request))
    throw new Fault(
      "denied",
      "user specified configurations are not supported if the network depends on a configuration network",
    );
  return {
    ...request,
    options: source.options,
    labels: { ...source.labels, ...request.labels },
    isIpv4: source.isIpv4,
    isIpv6: source.isIpv6,
    ipam: source.ipam,
  };
}

function saysItself({ options, ipam, isIpv6 }: NetworkRequest): boolean {
  const isOwnIpam = !["", "default"].includes(ipam.driver) || Object.keys(ipam.options).length > 0;
  return Object.keys(options).length > 0 || isOwnIpam || ipam.pools.length > 0 || isIpv6 === true;
}

/** The configuration that a network is made from. */
export function requireSource(
  { configFrom = "" }: Pick<NetworkRequest, "configFrom">,
  store: Pick<NetworkStore, "named">,
): Network {
  const source = store.named(configFrom);
  if (source === undefined)
    throw new Fault("not_found", `configuration network "${configFrom.slice(0, 256)}" not found`);
  if (!isConfiguration(source))
    throw new Fault("denied", `network "${source.name}" is not a configuration network`);
  return source;
}

/** Throws `denied` for a configuration that networks were made from. */
export function refuseFollowed(network: Network, all: readonly Network[]): void {
  const followers = isConfiguration(network)
    ? all.filter(({ configFrom }) => configFrom === network.name)
    : [];
  if (followers.length > 0)
    throw new Fault(
      "denied",
      `configuration network "${network.name}" is in use by ${followers.map(({ name }) => name).join(", ")}`,
    );
}

export function notForContainers({ name }: Network): Fault {
  return new Fault(
    "denied",
    `cannot use network ${name}: it is a configuration for other networks (--config-from)`,
  );
}
