import { findLink, type Link, listAddresses, listLinks, type Netlink } from "#host";
import { addressOf } from "../../addresses.ts";
import type { Lie } from "./answers.ts";

/** fe80::/10, which the kernel gives every link. */
const isLinkLocal = (bytes: Uint8Array): boolean =>
  addressOf(bytes).family === 6 && bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;

/** Links of the host that plugins hand to containers. */
export class HandedLinks {
  readonly #netlink: Netlink;
  /** By the link's index: indexes are not given again until all others have been. */
  readonly #handed = new Map<number, string>();

  constructor(netlink: Netlink) {
    this.#netlink = netlink;
  }

  /** Those that are there before a plugin is asked for one. */
  present(): ReadonlySet<number> {
    return new Set(listLinks(this.#netlink).map(({ index }) => index));
  }

  /**
   * The link of that name, which is the endpoint's from now on. One that was there before may be a card that the plugin
   * gives away, but nothing that the host or somebody else uses.
   */
  take(
    name: string,
    {
      endpointId,
      before,
      lie,
    }: { readonly endpointId: string; readonly before: ReadonlySet<number>; readonly lie: Lie },
  ): Link {
    const link = findLink(this.#netlink, name);
    if (link === undefined) throw lie(`there is no link ${name} on this host`);
    const holder = this.#handed.get(link.index);
    if (holder !== undefined && holder !== endpointId)
      throw lie(`the link ${name} is another container's already`);
    const use = before.has(link.index)
      ? this.#useOf(link)
      : link.master === 0
        ? undefined
        : "a port of another";
    if (use !== undefined) throw lie(`the link ${name} is not its to give: it is ${use}`);
    this.#handed.set(link.index, endpointId);
    return link;
  }

  #useOf(link: Link): string | undefined {
    if (link.name === "lo") return "the host's loopback";
    if (link.kind === "bridge") return "a bridge of this host";
    if (link.master !== 0) return "a port of another";
    const hasAddress = listAddresses(this.#netlink).some(
      ({ index, bytes }) => index === link.index && !isLinkLocal(bytes),
    );
    return hasAddress ? "one with addresses of this host" : undefined;
  }

  giveBack(endpointId: string): void {
    for (const [index, holder] of this.#handed) if (holder === endpointId) this.#handed.delete(index);
  }
}
