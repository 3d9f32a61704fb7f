import { Fault, sentenceOf } from "#errors";
import { findLink, listLinks, readSysctl, writeSysctl } from "#host";
import type { NetlinkStep } from "#oci";
import { parseAddress } from "../../addresses.ts";
import type {
  EndpointRecord,
  Joined,
  Network,
  NetworkDriver,
  NetworkDriverKind,
  NetworkHost,
  PublishedPort,
} from "../../driver.ts";
import type { FilteredBridge, Forwarding } from "../../firewall.ts";
import { performOnHost } from "../../host-steps.ts";
import {
  addAddress,
  allowHairpin,
  bringUp,
  deleteLink,
  isolatePort,
  joinBridge,
  makeVeth,
} from "../../netlink-steps.ts";
import { portInUse } from "../../ports.ts";
import type { RelayRequest, RelayStart } from "../../relays.ts";
import { forgetStaleFlows } from "../../stale-flows.ts";
import { aliasOf, DEFAULT_MTU, raiseBridge } from "./raise.ts";

/** How often, and how many times, an ended container's link is looked for before it is removed by request. */
const LEAVING_POLL_MILLISECONDS = 20;
const LEAVING_LOOKS = 10;
/** How links of containers are called; nothing else on a bridge is touched. */
const LINK_NAME = /^veth[0-9a-f]{8}$/;

/** Containers behind a bridge of the host: veth pair, address, translation, published ports. */
export const bridgeNetwork: NetworkDriverKind = {
  name: "bridge",
  probe: () => ({ usable: true }),
  open: (host) => new BridgeDriver(host),
};

class BridgeDriver implements NetworkDriver {
  readonly namespace = "new";
  readonly isAddressed = true;
  readonly carriesPorts = true;
  readonly #host: NetworkHost;
  /** Links of containers that have ended, on their way out. */
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(host: NetworkHost) {
    this.#host = host;
  }

  admit(network: Network): Network {
    if (network.options["com.docker.network.bridge.default_bridge"] !== "true")
      throw new Fault("unsupported", "Cannot create the network: this host has one bridge, its own");
    return network;
  }

  async setUp(network: Network, live: readonly EndpointRecord[]): Promise<Network> {
    const { settings, firewall, relays, log } = this.#host;
    const now = raiseBridge(this.#host, network);
    this.#settleLinks(live);
    this.#forwardPackets();
    const missing = firewall.missing();
    if (settings.iptables && missing === undefined)
      await firewall.replace({
        bridges: [this.#filtered(now)],
        forwardings: live.map(forwardingOf).filter(({ ports }) => ports.length > 0),
      });
    else if (settings.iptables) log("warn", `Containers reach no other host: ${missing}`);
    if (live.some(({ ports }) => ports.length > 0)) this.#letLoopbackThrough();
    const requests = live.map((record) => this.#relayed(record)).filter(({ ports }) => ports.length > 0);
    for (const start of await relays.restore(requests))
      if (!start.ok) log("error", sentenceOf(refusal(start)));
    return now;
  }

  /** Links of no endpoint go; those of running containers are ports of the bridge, even when it had to be remade. */
  #settleLinks(live: readonly EndpointRecord[]): void {
    const { netlink, settings } = this.#host;
    const wanted = new Map(live.map(({ link, ports }) => [link, ports.length > 0]));
    const links = listLinks(netlink);
    const bridge = links.find(({ name }) => name === settings.name)?.index;
    for (const { name, master } of links) {
      const isPublishing = wanted.get(name);
      if (isPublishing !== undefined && master !== bridge)
        for (const step of [joinBridge(name, settings.name), ...this.#portFlags(name, isPublishing)])
          performOnHost(netlink, step);
      if (isPublishing === undefined && master === bridge && LINK_NAME.test(name))
        performOnHost(netlink, deleteLink(name));
    }
  }

  #forwardPackets(): void {
    const { settings, log } = this.#host;
    if (!settings.ipForward) return;
    try {
      writeSysctl("net/ipv4/ip_forward", "1");
    } catch (error) {
      log("warn", `Containers reach no other host: ${sentenceOf(error)}`);
    }
  }

  #filtered(network: Network): FilteredBridge {
    const { settings } = this.#host;
    const pool = network.ipam.pools.find(({ family }) => family === 4);
    return {
      name: settings.name,
      subnet: pool?.subnet ?? "",
      gateway: pool?.gateway ?? "",
      isMasqueraded: settings.ipMasquerade && !network.isInternal,
      isOpenInside: settings.icc,
      isInternal: network.isInternal,
    };
  }

  async tearDown(network: Network): Promise<void> {
    const { settings, netlink, firewall } = this.#host;
    await this.settle();
    if (settings.iptables && firewall.missing() === undefined) await firewall.clear();
    const links = listLinks(netlink);
    const bridge = links.find(({ name }) => name === settings.name);
    const isOurs = bridge?.alias === aliasOf(network);
    if (isOurs && !links.some(({ master }) => master === bridge?.index))
      performOnHost(netlink, deleteLink(settings.name));
  }

  async join(network: Network, { link, endpoint, ports }: EndpointRecord): Promise<Joined> {
    const { settings } = this.#host;
    const address = parseAddress(endpoint.address);
    if (address === undefined)
      throw new Fault("internal", `Cannot join network ${network.name}: no address was given`);
    const { prefixLength, macAddress, interfaceName } = endpoint;
    const mtu = settings.mtu || DEFAULT_MTU;
    const links = [
      makeVeth({ name: link, bridge: settings.name, peer: interfaceName, macAddress, mtu }),
      addAddress({ link: interfaceName, netns: "child", address, prefixLength }),
      bringUp(interfaceName),
    ];
    return {
      links: [...links, ...this.#portFlags(link, ports.length > 0)],
      sysctls: ipv6Off(interfaceName),
      ...(!network.isInternal && { gateway: endpoint.gateway }),
    };
  }

  /**
   * What depends on whether the bridge's frames pass the firewall: only if they do is a call to oneself sent back
   * without leaving the bridge, and only if they do not does the firewall not see what containers send each other.
   */
  #portFlags(link: string, isPublishing: boolean): NetlinkStep[] {
    const isFiltered = readSysctl("net/bridge/bridge-nf-call-iptables") === "1";
    if (isFiltered) return isPublishing ? [allowHairpin(link)] : [];
    return this.#host.settings.icc ? [] : [isolatePort(link)];
  }

  async open(_network: Network, record: EndpointRecord): Promise<void> {
    if (record.ports.length === 0) return;
    const { settings, firewall, relays } = this.#host;
    const relayed = this.#relayed(record);
    const [start] = await Promise.all([
      relayed.ports.length > 0 ? relays.start(relayed) : ({ ok: true } as const),
      settings.iptables ? firewall.publish(forwardingOf(record)) : undefined,
    ]);
    if (!start.ok) throw refusal(start);
    this.#letLoopbackThrough();
    if (settings.iptables) this.#forgetFlows(record.ports, record.endpoint.address);
  }

  async close(network: Network, record: EndpointRecord): Promise<void> {
    this.#letGo(record.link);
    await this.shut(network, record);
  }

  async shut(_network: Network, record: EndpointRecord): Promise<void> {
    const { firewall, relays } = this.#host;
    const endings = [relays.stop(record.containerId), firewall.withdraw(record.containerId)];
    const failed = (await Promise.allSettled(endings)).find(({ status }) => status === "rejected");
    this.#forgetFlows(record.ports);
    if (failed?.status === "rejected") throw failed.reason;
  }

  /**
   * The kernel removes the link when the container's namespace ends, within some 20 ms. To remove it by request takes
   * as long, and all of this process would stand still: so that is only for a namespace that is kept.
   */
  #letGo(link: string): void {
    if (this.#leaving.has(link)) return;
    const work = this.#removeLink(link)
      .catch((error: unknown) => this.#host.log("error", sentenceOf(error)))
      .finally(() => this.#leaving.delete(link));
    this.#leaving.set(link, work);
  }

  async #removeLink(link: string): Promise<void> {
    const { netlink } = this.#host;
    for (let looks = 0; looks < LEAVING_LOOKS; looks += 1) {
      await Bun.sleep(LEAVING_POLL_MILLISECONDS);
      if (findLink(netlink, link) === undefined) return;
    }
    performOnHost(netlink, deleteLink(link));
  }

  async settle(): Promise<void> {
    await Promise.all(this.#leaving.values());
  }

  #forgetFlows(ports: readonly PublishedPort[], keep?: string): void {
    try {
      forgetStaleFlows(ports, keep);
    } catch (error) {
      this.#host.log("warn", `UDP flows of earlier may miss a container: ${sentenceOf(error)}`);
    }
  }

  /** What translation cannot carry; everything, where the firewall shall be left alone. */
  #relayed({ containerId, link, endpoint, ports }: EndpointRecord): RelayRequest {
    const needed = this.#host.settings.iptables ? ports.filter(isIpv6) : ports;
    return {
      containerId,
      link,
      address: endpoint.address,
      ports: needed.filter(({ protocol }) => protocol !== "sctp"),
    };
  }

  /** A process of this host that calls 127.0.0.1 is translated to the container: such a packet may leave by the bridge. */
  #letLoopbackThrough(): void {
    if (this.#host.settings.iptables)
      writeSysctl(`net/ipv4/conf/${this.#host.settings.name}/route_localnet`, "1");
  }
}

const isIpv6 = ({ hostAddress }: PublishedPort): boolean => hostAddress.includes(":");

function forwardingOf({ containerId, endpoint, ports }: EndpointRecord): Forwarding {
  return { containerId, address: endpoint.address, ports: ports.filter((port) => !isIpv6(port)) };
}

function refusal(start: Extract<RelayStart, { ok: false }>): Fault {
  return portInUse(start.port);
}

/** A network without IPv6 has none: no address by router advertisements, whatever is on the bridge (CVE-2024-32473). */
function ipv6Off(link: string): Readonly<Record<string, string>> {
  if (readSysctl("net/ipv6/conf/default/disable_ipv6") === undefined) return {};
  return {
    "net.ipv6.conf.default.disable_ipv6": "1",
    [`net.ipv6.conf.${link}.disable_ipv6`]: "1",
  };
}
