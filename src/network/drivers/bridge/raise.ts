import { Fault } from "#errors";
import {
  type Link,
  type LinkAddress,
  listAddresses,
  listLinks,
  type Netlink,
  readSysctl,
  writeSysctl,
} from "#host";
import {
  addressOf,
  formatAddress,
  formatSubnet,
  type IpAddress,
  parseAddress,
  parsePrefix,
  requirePrefix,
} from "../../addresses.ts";
import type { AddressPool, Network, NetworkHost } from "../../driver.ts";
import { performOnHost } from "../../host-steps.ts";
import { addAddress, configureLink, deleteLink, makeBridge, removeAddress } from "../../netlink-steps.ts";
import type { BridgeOptions } from "./options.ts";

const OURS = "bunker network ";
/** `fe80::/10`: every link has such an address by itself. */
const LINK_LOCAL = { first: 0xfe, second: 0x80, mask: 0xc0 };

/** Whether it was made for this network; one whose maker was killed has no alias yet. */
export const isMadeFor = (network: Pick<Network, "id">, { alias, macAddress }: Link): boolean =>
  alias === aliasOf(network) || (alias === "" && macAddress === macOf(network));

/** By this the bridge's link says whose it is. */
export const aliasOf = ({ id }: Pick<Network, "id">): string => `${OURS}${id.slice(0, 12)}`;

interface Wanted {
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/**
 * The bridge is there, up, with its addresses when this returns. One that was there and is not bunker's is used as
 * it is, and given the address it lacks. Of a failure nothing is left.
 */
export function raiseBridge(
  { netlink }: Pick<NetworkHost, "netlink">,
  network: Network,
  options: BridgeOptions,
): void {
  const { name, mtu } = options;
  const links = listLinks(netlink);
  const there = links.find((link) => link.name === name);
  const isOurs = there === undefined || there.alias.startsWith(OURS) || isMadeFor(network, there);
  if (there !== undefined) requireUsable({ network, there, links });
  if (there === undefined) performOnHost(netlink, makeBridge(name, macOf(network)));
  try {
    if (isOurs) setIpv6(name, network.isIpv6);
    if (isOurs) performOnHost(netlink, configureLink(name, { mtu, alias: aliasOf(network) }));
    const current = listAddresses(netlink).filter(({ index }) => index === there?.index);
    setAddresses(netlink, {
      name,
      wanted: wantedAddresses(network, options),
      current: isOurs ? current : [],
    });
  } catch (error) {
    if (there === undefined) performOnHost(netlink, deleteLink(name));
    throw error;
  }
}

function requireUsable({
  network,
  there,
  links,
}: {
  network: Network;
  there: Link;
  links: readonly Link[];
}): void {
  const { name, kind, alias, index } = there;
  if (kind !== "bridge")
    throw new Fault(
      "conflict",
      `Cannot use ${name} as the bridge: it is a link of another kind; give it another name (--bridge NAME, or com.docker.network.bridge.name=NAME)`,
    );
  const isLent = alias.startsWith(OURS) && alias !== aliasOf(network);
  if (isLent && links.some(({ master }) => master === index))
    throw new Fault(
      "conflict",
      `Cannot use the bridge ${name}: containers of another bunker daemon are on it; give another name (--bridge NAME, or com.docker.network.bridge.name=NAME)`,
    );
}

/** The host's own addresses there: it is the containers' way out, unless it shall have none. */
function wantedAddresses(network: Network, { gatewayModes, isWithoutIpv4 }: BridgeOptions): Wanted[] {
  return network.ipam.pools.flatMap(({ family, subnet, gateway }) => {
    const address = parseAddress(gateway);
    const prefixLength = parsePrefix(subnet)?.subnet.prefixLength;
    if (address === undefined || prefixLength === undefined) return [];
    if (gatewayModes[family] === "isolated" || (family === 4 && isWithoutIpv4)) return [];
    return [{ address, prefixLength }];
  });
}

function setAddresses(
  netlink: Netlink,
  { name, wanted, current }: { name: string; wanted: readonly Wanted[]; current: readonly LinkAddress[] },
): void {
  for (const { bytes, prefixLength } of current.filter((one) => !isLinkLocal(one))) {
    const address = addressOf(bytes);
    const isWanted = wanted.some(
      (one) =>
        one.address.family === address.family &&
        one.address.value === address.value &&
        one.prefixLength === prefixLength,
    );
    if (!isWanted)
      performOnHost(netlink, removeAddress({ link: name, netns: "host", address, prefixLength }));
  }
  for (const { address, prefixLength } of wanted)
    performOnHost(netlink, addAddress({ link: name, netns: "host", address, prefixLength }));
}

function isLinkLocal({ bytes }: LinkAddress): boolean {
  const [first = 0, second = 0] = bytes;
  return (
    bytes.length === 16 && first === LINK_LOCAL.first && (second & LINK_LOCAL.mask) === LINK_LOCAL.second
  );
}

/** The same at every start, so that no neighbour of a container that runs on is misled. */
function macOf({ id }: Pick<Network, "id">): string {
  return ["02", "42", ...(id.slice(0, 8).match(/../g) ?? [])].join(":");
}

/** No router's word counts (CVE-2020-13401), and a network without IPv6 has no address of that kind at all. */
function setIpv6(name: string, isIpv6: boolean): void {
  const folder = `net/ipv6/conf/${name}`;
  if (readSysctl(`${folder}/disable_ipv6`) === undefined) return;
  writeSysctl(`${folder}/accept_ra`, "0");
  writeSysctl(`${folder}/disable_ipv6`, isIpv6 ? "0" : "1");
}

/** The daemon's own network: its pools as the settings want them, else as the link that is there has them. */
export function defaultPools(
  { netlink, settings }: Pick<NetworkHost, "netlink" | "settings">,
  network: Network,
): AddressPool[] {
  const link = listLinks(netlink).find(({ name }) => name === settings.name);
  // This network's own has the address that its record says, or may be given another.
  const index = link !== undefined && link.alias !== aliasOf(network) ? link.index : 0;
  const current = listAddresses(netlink).filter((one) => one.index === index && !isLinkLocal(one));
  const families = settings.ipv6 ? ([4, 6] as const) : ([4] as const);
  return families.map((family) => {
    const there = current.find(({ bytes }) => (bytes.length === 4) === (family === 4));
    const before = network.ipam.pools.find((pool) => pool.family === family);
    return poolOf(family, { settings, before, there });
  });
}

interface PoolFacts {
  readonly settings: NetworkHost["settings"];
  readonly before: AddressPool | undefined;
  readonly there: LinkAddress | undefined;
}

function poolOf(family: 4 | 6, { settings, before, there }: PoolFacts): AddressPool {
  const bip = family === 4 ? settings.bip : settings.bip6;
  const range = (family === 4 ? settings.fixedCidr : settings.fixedCidrV6) ?? "";
  const other = family === 4 ? settings.defaultGateway : settings.defaultGatewayV6;
  const auxiliary: Record<string, string> =
    other === undefined ? {} : { [`DefaultGatewayIPv${family}`]: other };
  const rest = { family, range, auxiliary };
  if (bip !== undefined) return { ...rest, ...ownAddress(bip, family) };
  if (there !== undefined)
    return {
      ...rest,
      ...ownAddress(`${formatAddress(addressOf(there.bytes))}/${there.prefixLength}`, family),
    };
  if (before !== undefined && before.subnet !== "") return { ...before, range, auxiliary };
  return { ...rest, subnet: range, gateway: "" };
}

function ownAddress(text: string, family: 4 | 6): Pick<AddressPool, "subnet" | "gateway"> {
  const flag = family === 4 ? "--bip" : "--bip6";
  const { address, subnet } = requirePrefix(text, flag);
  const longest = family === 4 ? 30 : 126;
  if (address.family !== family || address.value === subnet.value || subnet.prefixLength > longest)
    throw new Fault(
      "invalid",
      `Cannot use ${flag} ${text}: it must be the bridge's own IPv${family} address in a subnet of at most ${longest} bits, as ${family === 4 ? "172.17.0.1/16" : "fd00:1::1/64"}`,
    );
  return { subnet: formatSubnet(subnet), gateway: formatAddress(address) };
}
