import { Fault } from "#errors";
import { type LinkAddress, listAddresses, listLinks, listRoutes, readSysctl, writeSysctl } from "#host";
import {
  addressOf,
  formatAddress,
  formatSubnet,
  type IpAddress,
  overlaps,
  parseAddress,
  parsePrefix,
  requirePrefix,
  type Subnet,
  subnetOf,
} from "../../addresses.ts";
import type { Network, NetworkHost } from "../../driver.ts";
import { performOnHost } from "../../host-steps.ts";
import { chooseSubnet, DEFAULT_POOLS, firstAddress } from "../../ipam.ts";
import { addAddress, configureLink, makeBridge, removeAddress } from "../../netlink-steps.ts";
import { parseResolvConf, readHostResolvConf } from "../../resolv-conf.ts";

export const DEFAULT_MTU = 1500;

interface BridgeAddress {
  readonly gateway: IpAddress;
  readonly subnet: Subnet;
}

/** By this the bridge's link says whose it is. */
export const aliasOf = ({ id }: Network): string => `bunker network ${id.slice(0, 12)}`;

/**
 * The bridge is there, up, with its address when this returns, and the network says which. One that was there
 * keeps its address, unless `--bip` asks for another.
 */
export function raiseBridge({ netlink, settings }: NetworkHost, network: Network): Network {
  const { name, mtu } = settings;
  const links = listLinks(netlink);
  const there = links.find((link) => link.name === name);
  if (there !== undefined && there.kind !== "bridge")
    throw new Fault(
      "conflict",
      `Cannot use ${name} as the bridge: it is a link of another kind; give --bridge NAME`,
    );
  const isOurs = there === undefined || there.alias.startsWith("bunker network ");
  const isLent = there !== undefined && isOurs && there.alias !== aliasOf(network);
  if (isLent && links.some(({ master }) => master === there.index))
    throw new Fault(
      "conflict",
      `Cannot use the bridge ${name}: containers of another bunker daemon are on it; start this one with --bridge NAME`,
    );
  const addresses = listAddresses(netlink);
  const current = addresses.filter(({ index, bytes }) => index === there?.index && bytes.length === 4);
  const chosen = chooseAddress({ netlink, settings }, { network, current, bridge: there?.index });
  if (there === undefined) performOnHost(netlink, makeBridge(name, macOf(network)));
  closeToIpv6(name);
  if (isOurs)
    performOnHost(netlink, configureLink(name, { mtu: mtu || DEFAULT_MTU, alias: aliasOf(network) }));
  for (const { bytes, prefixLength } of isOurs ? current : []) {
    const address = addressOf(bytes);
    if (address.value === chosen.gateway.value && prefixLength === chosen.subnet.prefixLength) continue;
    performOnHost(netlink, removeAddress({ link: name, netns: "host", address, prefixLength }));
  }
  const { gateway, subnet } = chosen;
  const { prefixLength } = subnet;
  performOnHost(netlink, addAddress({ link: name, netns: "host", address: gateway, prefixLength }));
  const options = { ...network.options, "com.docker.network.bridge.name": name };
  const pool = {
    family: 4,
    subnet: formatSubnet(subnet),
    gateway: formatAddress(gateway),
    range: settings.fixedCidr ?? "",
    auxiliary: {},
  } as const;
  return { ...network, options, ipam: { ...network.ipam, pools: [pool] } };
}

/** As asked, else as it is, else as it was, else the first of the pools that is free. */
function chooseAddress(
  { netlink, settings }: Pick<NetworkHost, "netlink" | "settings">,
  facts: { network: Network; current: readonly LinkAddress[]; bridge: number | undefined },
): BridgeAddress {
  if (settings.bip !== undefined) return asked(settings.bip);
  const [first] = facts.current;
  if (first !== undefined) {
    const gateway = addressOf(first.bytes);
    return { gateway, subnet: subnetOf(gateway, first.prefixLength) };
  }
  const taken = [...listRoutes(netlink), ...listAddresses(netlink)]
    .filter(({ index }) => index !== facts.bridge)
    .map(({ bytes, prefixLength }) => subnetOf(addressOf(bytes), prefixLength));
  const all = [...taken, ...nameServers()];
  const pool = facts.network.ipam.pools.find(({ family }) => family === 4);
  const before = parsePrefix(pool?.subnet ?? "")?.subnet;
  const gateway = parseAddress(pool?.gateway ?? "");
  if (before !== undefined && gateway !== undefined && !all.some((other) => overlaps(other, before)))
    return { gateway, subnet: before };
  const pools = settings.addressPools.length > 0 ? settings.addressPools : DEFAULT_POOLS;
  const subnet = chooseSubnet(pools, all);
  return { gateway: firstAddress(subnet), subnet };
}

function asked(bip: string): BridgeAddress {
  const { address, subnet } = requirePrefix(bip, "--bip");
  if (address.family !== 4 || address.value === subnet.value || subnet.prefixLength > 30)
    throw new Fault(
      "invalid",
      `Cannot use --bip ${bip}: it must be the bridge's own IPv4 address in a subnet of at most 30 bits, as 172.17.0.1/16`,
    );
  return { gateway: address, subnet };
}

function nameServers(): Subnet[] {
  const { servers } = parseResolvConf(readHostResolvConf());
  return servers.flatMap((server) => {
    const address = parseAddress(server);
    return address === undefined ? [] : [subnetOf(address, address.family === 4 ? 32 : 128)];
  });
}

/** The same at every start, so that no neighbour of a container that runs on is misled. */
function macOf({ id }: Network): string {
  return ["02", "42", ...(id.slice(0, 8).match(/../g) ?? [])].join(":");
}

/** No address of its own, and no router's word counts (CVE-2020-13401). */
function closeToIpv6(name: string): void {
  const folder = `net/ipv6/conf/${name}`;
  if (readSysctl(`${folder}/disable_ipv6`) === undefined) return;
  writeSysctl(`${folder}/accept_ra`, "0");
  writeSysctl(`${folder}/disable_ipv6`, "1");
}
