import { Fault } from "#errors";
import { findLink, listAddresses, listLinks, type Netlink } from "#host";
import { addressBytes, addressOf, formatAddress, type IpAddress, parseAddress } from "../../addresses.ts";
import type { SharedEndpoint } from "../../cluster/shapes.ts";
import { performOnHost } from "../../host-steps.ts";
import { deleteLink } from "../../steps/links.ts";
import { markLink } from "../../steps/upper-links.ts";
import {
  listForwardings,
  listNeighbours,
  makeVxlan,
  removeForwarding,
  removeNeighbour,
  setForwarding,
  setNeighbour,
} from "../../steps/vxlan.ts";
import type { Network } from "../../types.ts";

/** A VXLAN link and the bridge it is a port of carry the network's id; `vx-` and `bo-` and 12 digits are 15 letters. */
export const vxlanName = ({ id }: Pick<Network, "id">): string => `vx-${id.slice(0, 12)}`;
export const bridgeName = ({ id }: Pick<Network, "id">): string => `bo-${id.slice(0, 12)}`;

/** By this a link says which host of which cluster made it; daemons side by side have different ones. */
export const aliasStart = (hostId: string): string => `bunker overlay ${hostId.slice(0, 12)} `;

export interface SegmentOptions {
  readonly vni: number;
  readonly port: number;
  readonly local: IpAddress;
  readonly mtu: number;
  readonly hostId: string;
}

/** One network's way to other hosts: its VXLAN link, and who is behind it where. */
export class Segment {
  readonly #netlink: Netlink;
  readonly #link: string;
  readonly #peers = new Map<string, SharedEndpoint>();

  /** Makes the link as a port of the network's bridge, or takes over the one that is there and is as it must be. */
  constructor(netlink: Netlink, network: Network, options: SegmentOptions) {
    this.#netlink = netlink;
    this.#link = vxlanName(network);
    const { vni, port, local, mtu, hostId } = options;
    const words = [network.id.slice(0, 12), vni, port, formatAddress(local), mtu].join(" ");
    const alias = `${aliasStart(hostId)}${words}`;
    const bridge = bridgeName(network);
    const there = findLink(netlink, this.#link);
    const isRight =
      there?.kind === "vxlan" &&
      there.alias === alias &&
      there.isUp &&
      there.master === findLink(netlink, bridge)?.index;
    if (isRight) return;
    if (there !== undefined) performOnHost(netlink, deleteLink(this.#link));
    const name = this.#link;
    try {
      performOnHost(netlink, makeVxlan({ name, bridge, vni, local, port, mtu }));
      performOnHost(netlink, markLink(name, alias));
    } catch (cause) {
      performOnHost(netlink, deleteLink(name));
      throw new Fault(
        "conflict",
        `Cannot set up the overlay network ${network.name} on this host: ${wordsOf(cause)}`,
        {
          cause,
        },
      );
    }
  }

  get peers(): ReadonlyMap<string, SharedEndpoint> {
    return this.#peers;
  }

  set(key: string, peer: SharedEndpoint): void {
    const before = this.#peers.get(key);
    if (before !== undefined) this.remove(key);
    this.#peers.set(key, peer);
    const host = parseAddress(peer.hostAddress);
    if (host === undefined) return;
    const { macAddress } = peer;
    performOnHost(this.#netlink, setForwarding(this.#link, { macAddress, host }));
    for (const address of addressesOf(peer))
      performOnHost(this.#netlink, setNeighbour(this.#link, { address, macAddress }));
  }

  remove(key: string): void {
    const peer = this.#peers.get(key);
    if (peer === undefined) return;
    this.#peers.delete(key);
    const others = [...this.#peers.values()];
    const host = parseAddress(peer.hostAddress);
    const isAlone = !others.some(({ macAddress }) => macAddress === peer.macAddress);
    if (host !== undefined && isAlone)
      performOnHost(this.#netlink, removeForwarding(this.#link, { macAddress: peer.macAddress, host }));
    const kept = new Set(others.flatMap(({ addresses }) => addresses));
    for (const address of addressesOf(peer))
      if (!kept.has(formatAddress(address)))
        performOnHost(this.#netlink, removeNeighbour(this.#link, address));
  }

  /** What the kernel was told by an earlier daemon and is so no longer goes. */
  prune(): void {
    const index = findLink(this.#netlink, this.#link)?.index;
    if (index === undefined) return;
    const peers = [...this.#peers.values()];
    const forwardings = new Set(peers.map(({ macAddress, hostAddress }) => `${macAddress} ${hostAddress}`));
    for (const { lladdr, destination } of listForwardings(this.#netlink, index)) {
      const host = addressOf(destination);
      if (!forwardings.has(`${lladdr} ${formatAddress(host)}`))
        performOnHost(this.#netlink, removeForwarding(this.#link, { macAddress: lladdr, host }));
    }
    const neighbours = new Set(peers.flatMap(({ addresses }) => addresses));
    for (const { destination } of listNeighbours(this.#netlink, index)) {
      const address = addressOf(destination);
      if (!neighbours.has(formatAddress(address)))
        performOnHost(this.#netlink, removeNeighbour(this.#link, address));
    }
  }

  takeDown(): void {
    this.#peers.clear();
    performOnHost(this.#netlink, deleteLink(this.#link));
  }
}

/** Links of networks that are none here any more: what a daemon that was killed left. */
export function sweepLinks(netlink: Netlink, hostId: string, networks: ReadonlySet<string>): void {
  const start = aliasStart(hostId);
  for (const { name, alias } of listLinks(netlink)) {
    const [id = ""] = alias.startsWith(start) ? alias.slice(start.length).split(" ") : [];
    if (id === "" || networks.has(id)) continue;
    performOnHost(netlink, deleteLink(name));
    performOnHost(netlink, deleteLink(bridgeName({ id })));
  }
}

/** The link of this host that has the address, on which the frames travel. Throws `unavailable` when there is none. */
export function underlayOf(
  netlink: Netlink,
  text: string,
): { address: IpAddress; mtu: number; family: 4 | 6 } {
  const address = parseAddress(text);
  const bytes = address === undefined ? new Uint8Array() : addressBytes(address);
  const found = listAddresses(netlink).find((one) => Buffer.compare(one.bytes, bytes) === 0);
  const link = listLinks(netlink).find(({ index }) => index === found?.index);
  if (address === undefined || link === undefined)
    throw new Fault(
      "unavailable",
      `Cannot reach other hosts: no link of this host has the address ${text} of --cluster-advertise`,
    );
  return { address, mtu: link.mtu, family: address.family };
}

const addressesOf = ({ addresses }: SharedEndpoint): IpAddress[] =>
  addresses.flatMap((text) => parseAddress(text) ?? []);

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
