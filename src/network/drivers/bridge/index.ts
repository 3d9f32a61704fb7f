import { Fault, sentenceOf } from "#errors";
import { findLink, listLinks, readSysctl, writeSysctl } from "#host";
import { parseAddress } from "../../addresses.ts";
import type {
  Carriage,
  EndpointRecord,
  Finding,
  Joined,
  Network,
  NetworkDriver,
  NetworkDriverKind,
  NetworkHost,
} from "../../driver.ts";
import { diagnoseFirewall } from "../../firewall/index.ts";
import { performOnHost } from "../../host-steps.ts";
import { addAddress, allowHairpin, bringUp, deleteLink, makeVeth } from "../../netlink-steps.ts";
import { portInUse } from "../../ports.ts";
import type { RelayRequest, RelayStart } from "../../relays.ts";
import { forgetStaleFlows } from "../../stale-flows.ts";
import { type Carrying, carriageOf, carry, forwardingOf, relayOf } from "./carriage.ts";
import { filteredBridge } from "./filtered.ts";
import { isFilteringFrames, LeavingLinks, portFlags, settleLinks } from "./links.ts";
import { defaultOptions, isDefaultNetwork, NAME, readOptions } from "./options.ts";
import { PacketForwarding } from "./packet-forwarding.ts";
import { defaultPools, isMadeFor, raiseBridge } from "./raise.ts";

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
  readonly #leaving: LeavingLinks;
  readonly #packets: PacketForwarding;
  /** Relays of running containers, until all networks have been set up. */
  #toRestore: RelayRequest[] | undefined = [];

  constructor(host: NetworkHost) {
    this.#host = host;
    this.#leaving = new LeavingLinks(host.netlink, host.log);
    const { netlink, log } = host;
    this.#packets = new PacketForwarding({ notePath: `${host.stateDirectory}/forwarding`, netlink, log });
  }

  admit(network: Network, others: readonly Network[]): Network {
    const { settings } = this.#host;
    const isDefault = isDefaultNetwork(network);
    const { name } = readOptions(network, settings);
    const other = others.find(({ id, options }) => id !== network.id && options[NAME] === name);
    if (other !== undefined || (!isDefault && name === settings.name))
      throw new Fault(
        "conflict",
        `Cannot create network ${network.name}: networks have same bridge name: ${name} is that of ${other?.name ?? "bridge"}`,
      );
    if (isDefault) {
      const pools = defaultPools(this.#host, network);
      const options = defaultOptions(settings);
      return { ...network, options, isIpv6: settings.ipv6, ipam: { ...network.ipam, pools } };
    }
    return { ...network, options: { ...network.options, [NAME]: name } };
  }

  async setUp(network: Network, live: readonly EndpointRecord[]): Promise<Network> {
    const { netlink, firewall, settings } = this.#host;
    const carrying = this.#carrying(network);
    const { options } = carrying;
    raiseBridge(this.#host, network, options);
    const wanted = live.map(({ link, ports }) => ({ link, isPublishing: ports.length > 0 }));
    const { isOpenInside } = options;
    settleLinks(netlink, { bridge: options.name, wanted, isOpenInside, hasRules: this.#hasRules });
    await this.#forwardPackets(network);
    await firewall.addBridge(
      filteredBridge(network, options, settings),
      live.map((record) => forwardingOf(record, carrying)),
    );
    for (const record of live) this.#letLoopbackThrough(record, carrying);
    this.#toRestore?.push(...live.map((record) => relayOf(record, carrying)));
    return network;
  }

  /** Rules and relays for all networks at once. */
  async restored(): Promise<void> {
    const { firewall, relays, log } = this.#host;
    const missing = firewall.missing();
    if (missing !== undefined) log("warn", `Containers reach no other host: ${missing}`);
    await firewall.begin();
    const requests = (this.#toRestore ?? []).filter(({ ports }) => ports.length > 0);
    this.#toRestore = undefined;
    for (const start of await relays.restore(requests))
      if (!start.ok) log("error", sentenceOf(refusal(start)));
  }

  async #forwardPackets({ isInternal, ipam }: Network): Promise<void> {
    const { settings, firewall } = this.#host;
    if (!settings.ipForward || isInternal) return;
    for (const { family } of ipam.pools)
      if (family === 4 || firewall.handles(6)) this.#packets.turnOn(family);
    if (!settings.ipForwardNoDrop) await firewall.closeForwarding(this.#packets.own);
  }

  get #hasRules(): boolean {
    const { settings, firewall } = this.#host;
    return settings.iptables && settings.ip6tables && firewall.missing() === undefined;
  }

  #carrying(network: Network): Carrying {
    const { settings } = this.#host;
    return { network, settings, options: readOptions(network, settings) };
  }

  async tearDown(network: Network): Promise<void> {
    const { netlink, firewall, settings } = this.#host;
    const { name } = readOptions(network, settings);
    await this.settle();
    await firewall.removeBridge(name);
    const links = listLinks(netlink);
    // Not by its name, which the daemon's own may have had from another setting.
    const bridge = links.find((link) => link.kind === "bridge" && isMadeFor(network, link));
    if (bridge !== undefined && !links.some(({ master }) => master === bridge.index))
      performOnHost(netlink, deleteLink(bridge.name));
    if (firewall.isEmpty) await firewall.reopenForwarding(this.#packets.turnOff());
  }

  async join(network: Network, { link, endpoint, ports }: EndpointRecord): Promise<Joined> {
    const { settings } = this.#host;
    const options = readOptions(network, settings);
    const { name: bridge, mtu, isOpenInside, isDefault } = options;
    const { macAddress, interfaceName: peer } = endpoint;
    const addresses = addressSteps(network, endpoint);
    const steps = [makeVeth({ name: link, bridge, peer, macAddress, mtu }), ...addresses, bringUp(peer)];
    const facts = { isPublishing: ports.length > 0, isOpenInside, hasRules: this.#hasRules };
    const links = [...steps, ...portFlags(link, facts)];
    const sysctls = ipv6Sysctls(peer, endpoint.ipv6Address !== "");
    if (network.isInternal) return { links, sysctls };
    const gateway = (isDefault && settings.defaultGateway) || endpoint.gateway;
    const ipv6Gateway = (isDefault && settings.defaultGatewayV6) || endpoint.ipv6Gateway;
    return { links, sysctls, ...(gateway !== "" && { gateway }), ...(ipv6Gateway !== "" && { ipv6Gateway }) };
  }

  async open(network: Network, record: EndpointRecord): Promise<void> {
    if (record.ports.length === 0) return this.relink(network, record);
    const { firewall, relays } = this.#host;
    const carrying = this.#carrying(network);
    const relay = relayOf(record, carrying);
    const forwarding = forwardingOf(record, carrying);
    this.#requireCarriers(record, carrying);
    const [start] = await Promise.all([
      relay.ports.length > 0 ? relays.start(relay) : ({ ok: true } as const),
      firewall.publish(forwarding),
    ]);
    if (!start.ok) throw refusal(start);
    this.#letLoopbackThrough(record, carrying);
    this.#reflect(record.link);
    if (forwarding.ports.length > 0) this.#forgetFlows(record, "old");
  }

  async relink(network: Network, record: EndpointRecord): Promise<void> {
    const forwarding = forwardingOf(record, this.#carrying(network));
    await this.#host.firewall.publish(forwarding);
  }

  /** What passes INPUT ends on this host, and nothing here relays SCTP. */
  #requireCarriers({ ports }: EndpointRecord, { settings, network }: Carrying): void {
    if (settings.publishMode !== "input" || network.isInternal) return;
    const port = ports.find(({ protocol }) => protocol === "sctp");
    if (port !== undefined)
      throw new Fault(
        "unsupported",
        `Cannot publish sctp port ${port.hostPort}: with --publish-mode input a relay carries ports, and none carries SCTP; start the daemon without it`,
      );
  }

  /** A container that is there already, and gets ports now: it may call itself by them. */
  #reflect(link: string): void {
    const { netlink } = this.#host;
    if (isFilteringFrames().some && findLink(netlink, link) !== undefined)
      performOnHost(netlink, allowHairpin(link));
  }

  async close(network: Network, record: EndpointRecord): Promise<void> {
    this.#leaving.letGo(record.link);
    await this.shut(network, record);
  }

  async shut(network: Network, record: EndpointRecord): Promise<void> {
    const { firewall, relays, settings } = this.#host;
    const { name } = readOptions(network, settings);
    const endings = [
      relays.stop(record.containerId, record.link),
      firewall.withdraw(record.containerId, name),
    ];
    const failed = (await Promise.allSettled(endings)).find(({ status }) => status === "rejected");
    this.#forgetFlows(record, "all");
    if (failed?.status === "rejected") throw failed.reason;
  }

  async settle(): Promise<void> {
    await this.#leaving.settle();
  }

  carriage(network: Network, record: EndpointRecord): readonly Carriage[] {
    const carrying = this.#carrying(network);
    return record.ports.map((port) => carriageOf(carry(port, record.endpoint, carrying), carrying));
  }

  async diagnose(): Promise<readonly Finding[]> {
    return diagnoseFirewall(this.#host);
  }

  #forgetFlows({ ports, endpoint }: EndpointRecord, which: "old" | "all"): void {
    try {
      forgetStaleFlows(ports, which === "old" ? [endpoint.address, endpoint.ipv6Address] : []);
    } catch (error) {
      this.#host.log("warn", `UDP flows of earlier may miss a container: ${sentenceOf(error)}`);
    }
  }

  /** A process of this host that calls 127.0.0.1 is translated to the container: such a packet may leave by the bridge. */
  #letLoopbackThrough(record: EndpointRecord, carrying: Carrying): void {
    const carried = record.ports.map((port) => carry(port, record.endpoint, carrying));
    if (carried.some(({ family, isTranslated }) => family === 4 && isTranslated))
      writeSysctl(`net/ipv4/conf/${carrying.options.name}/route_localnet`, "1");
  }
}

function addressSteps(network: Network, endpoint: EndpointRecord["endpoint"]) {
  const { interfaceName: link, prefixLength, ipv6PrefixLength } = endpoint;
  const given = [
    { address: parseAddress(endpoint.address), prefixLength },
    { address: parseAddress(endpoint.ipv6Address), prefixLength: ipv6PrefixLength },
  ];
  const steps = given.flatMap(({ address, prefixLength }) =>
    address === undefined ? [] : [addAddress({ link, netns: "child", address, prefixLength })],
  );
  if (steps.length > 0) return steps;
  throw new Fault("internal", `Cannot join network ${network.name}: no address was given`);
}

function refusal(start: Extract<RelayStart, { ok: false }>): Fault {
  return portInUse(start.port);
}

/**
 * No router's word counts; and a network without IPv6 has none: no address by router advertisements, whatever is
 * on the bridge (CVE-2024-32473).
 */
function ipv6Sysctls(link: string, isIpv6: boolean): Readonly<Record<string, string>> {
  if (readSysctl("net/ipv6/conf/default/disable_ipv6") === undefined) return {};
  const folder = `net.ipv6.conf.${link}`;
  if (isIpv6) return { [`${folder}.accept_ra`]: "0" };
  return { "net.ipv6.conf.default.disable_ipv6": "1", [`${folder}.disable_ipv6`]: "1" };
}
