import { sentenceOf } from "#errors";
import { findLink, type Log, listLinks, type Netlink, readSysctl } from "#host";
import type { NetlinkStep } from "#oci";
import { performOnHost } from "../../host-steps.ts";
import { allowHairpin, deleteLink, isolatePort, joinBridge } from "../../netlink-steps.ts";

/** How often, and how many times, an ended container's link is looked for before it is removed by request. */
const LEAVING_POLL_MILLISECONDS = 20;
const LEAVING_LOOKS = 10;
/** How links of containers are called; nothing else on a bridge is touched. */
const LINK_NAME = /^veth[0-9a-f]{8}$/;
/** Whether the frames of bridges pass the firewall. */
const FILTERING = ["net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"];

/** Of some family, of every one. */
interface Filtering {
  readonly some: boolean;
  readonly every: boolean;
}

export function isFilteringFrames(): Filtering {
  const found = FILTERING.map((key) => readSysctl(key) === "1");
  return { some: found.includes(true), every: !found.includes(false) };
}

export interface PortFacts {
  readonly isPublishing: boolean;
  readonly isOpenInside: boolean;
  /** Whether the firewall has rules of ours in every family. */
  readonly hasRules: boolean;
}

/**
 * What depends on whether the bridge's frames pass the firewall: only if they do is a call to oneself sent back
 * without leaving the bridge, and only if they do, and there are rules, does the firewall see to what containers send
 * each other.
 */
export function portFlags(
  link: string,
  { isPublishing, isOpenInside, hasRules }: PortFacts,
  isFiltering = isFilteringFrames(),
): NetlinkStep[] {
  const isApart = !isOpenInside && !(isFiltering.every && hasRules);
  return [
    ...(isFiltering.some && isPublishing ? [allowHairpin(link)] : []),
    ...(isApart ? [isolatePort(link)] : []),
  ];
}

export interface WantedLink {
  readonly link: string;
  readonly isPublishing: boolean;
}

/** Links of no endpoint go; those of running containers are ports of the bridge, even when it had to be remade. */
export function settleLinks(
  netlink: Netlink,
  {
    bridge,
    wanted,
    ...facts
  }: Omit<PortFacts, "isPublishing"> & { bridge: string; wanted: readonly WantedLink[] },
): void {
  const links = listLinks(netlink);
  const index = links.find(({ name }) => name === bridge)?.index;
  for (const { name, master } of links) {
    const found = wanted.find(({ link }) => link === name);
    if (found !== undefined && master !== index)
      for (const step of [joinBridge(name, bridge), ...portFlags(name, { ...found, ...facts })])
        performOnHost(netlink, step);
    if (found === undefined && master === index && LINK_NAME.test(name))
      performOnHost(netlink, deleteLink(name));
  }
}

/** Links of containers that have ended, on their way out. */
export class LeavingLinks {
  readonly #netlink: Netlink;
  readonly #log: Log;
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(netlink: Netlink, log: Log) {
    this.#netlink = netlink;
    this.#log = log;
  }

  /**
   * The kernel removes the link when the container's namespace ends, within some 20 ms. To remove it by request takes
   * as long, and all of this process would stand still: so that is only for a namespace that is kept.
   */
  letGo(link: string): void {
    if (this.#leaving.has(link)) return;
    const work = this.#remove(link)
      .catch((error: unknown) => this.#log("error", sentenceOf(error)))
      .finally(() => this.#leaving.delete(link));
    this.#leaving.set(link, work);
  }

  async #remove(link: string): Promise<void> {
    for (let looks = 0; looks < LEAVING_LOOKS; looks += 1) {
      await Bun.sleep(LEAVING_POLL_MILLISECONDS);
      if (findLink(this.#netlink, link) === undefined) return;
    }
    performOnHost(this.#netlink, deleteLink(link));
  }

  async settle(): Promise<void> {
    await Promise.all(this.#leaving.values());
  }
}
