import { didYouMean, Fault } from "#errors";
import { requireAligned } from "./addressing.ts";
import { configurationOf, withConfiguration } from "./configuration.ts";
import { PREDEFINED_NETWORKS } from "./defaults.ts";
import type { BridgeSettings, Network, NetworkRequest } from "./driver.ts";
import { randomId } from "./endpoint.ts";
import type { NetworkDrivers } from "./network-drivers.ts";
import type { NetworkStore } from "./store.ts";

/** Source: libnetwork's restriction of names; without a limit of length there. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;
const IPV4_OPTION = "com.docker.network.enable_ipv4";
const IPV6_OPTION = "com.docker.network.enable_ipv6";

interface DraftParts {
  readonly store: Pick<NetworkStore, "named">;
  readonly drivers: Pick<NetworkDrivers, "find" | "ownNames">;
  readonly settings: Pick<BridgeSettings, "defaultNetworkOptions">;
}

/** A network as it is asked for, before anything is looked up on the host. Throws `invalid`, `denied` and `not_found`. */
export async function draftOf(
  asked: NetworkRequest,
  { store, drivers, settings }: DraftParts,
): Promise<Network> {
  const request = withConfiguration(asked, store);
  const { name, labels, isInternal, isAttachable } = request;
  if (PREDEFINED_NETWORKS.includes(name))
    throw new Fault("denied", `operation is not permitted on predefined ${name} network`);
  if (!NAME.test(name))
    throw new Fault(
      "invalid",
      `invalid network name ${JSON.stringify(name.slice(0, 100))}: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  if (request.isConfigOnly === true) return configurationOf(request);
  const driverName = request.driver === "" ? "bridge" : request.driver;
  if (["host", "null", "none"].includes(driverName))
    throw new Fault("denied", `only one instance of "${driverName}" network is allowed`);
  const driver = await drivers.find(driverName);
  if (driver === undefined)
    throw new Fault(
      "not_found",
      `could not find plugin ${driverName} in v1 plugin registry: plugin not found${didYouMean(driverName, drivers.ownNames())}`,
    );
  // Docker's clients say "default" when nothing was asked for.
  const isDefaultIpam = ["", "default"].includes(request.ipam.driver);
  const defaults = settings.defaultNetworkOptions[driverName] ?? {};
  requireAligned(request.ipam.pools);
  const families = familiesOf(request, { ...defaults, ...request.options });
  return {
    id: randomId(),
    name,
    driver: driverName,
    created: Date.now(),
    scope: driver.announce === undefined ? "local" : "global",
    ipam: {
      ...request.ipam,
      driver: isDefaultIpam ? (driver.defaultIpam ?? "default") : request.ipam.driver,
    },
    labels,
    isInternal,
    isAttachable,
    ...(asked.configFrom !== undefined && { configFrom: asked.configFrom }),
    ...families,
  };
}

/** What the request says of a family goes before what an option says; the option then is not kept. */
function familiesOf(
  asked: NetworkRequest,
  given: Readonly<Record<string, string>>,
): Pick<Network, "isIpv4" | "isIpv6" | "options"> {
  const isIpv4 = asked.isIpv4 ?? truthOption(given, IPV4_OPTION) ?? true;
  const isIpv6 = asked.isIpv6 ?? truthOption(given, IPV6_OPTION) ?? false;
  if (!isIpv4 && !isIpv6) throw new Fault("invalid", "IPv4 or IPv6 must be enabled");
  const { [IPV4_OPTION]: ipv4, [IPV6_OPTION]: ipv6, ...rest } = given;
  return {
    isIpv4,
    isIpv6,
    options: {
      ...rest,
      ...(asked.isIpv4 === undefined && ipv4 !== undefined && { [IPV4_OPTION]: ipv4 }),
      ...(asked.isIpv6 === undefined && ipv6 !== undefined && { [IPV6_OPTION]: ipv6 }),
    },
  };
}

function truthOption(options: Readonly<Record<string, string>>, name: string): boolean | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new Fault("invalid", `driver-opt "${name}" is not a valid bool`);
}

/** Docker passes over such a pool without a word. */
export function warningOf({ ipam, isIpv4, isIpv6 }: Network): string {
  const unused = ipam.pools.filter(({ family }) => (family === 4 ? !isIpv4 : !isIpv6));
  return unused
    .map(({ family, subnet }) => `Subnet ${subnet} is not used: IPv${family} is not enabled on this network`)
    .join("; ");
}
