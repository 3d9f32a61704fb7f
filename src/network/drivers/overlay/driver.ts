import { Fault, sentenceOf } from "#errors";
import { type Cluster, KEYS } from "../../cluster/cluster.ts";
import { readEndpoint, readNetwork, type SharedEndpoint } from "../../cluster/shapes.ts";
import type {
  Carriage,
  EndpointRecord,
  Finding,
  Joined,
  Network,
  NetworkDriver,
  NetworkHost,
} from "../../driver.ts";
import { knowsLinkKind } from "../../steps/upper-links.ts";
import { bridgeNetwork } from "../bridge/index.ts";
import { checkOptions, isEncrypted, MTU, mtuOf, portOf, vniOf } from "./options.ts";
import { Secrecy } from "./secrecy.ts";
import { bridgeName, Segment, sweepLinks, underlayOf } from "./segment.ts";
import { diagnoseStore, enterNetwork, removeNetwork } from "./store.ts";

const NO_STORE =
  "Cannot use overlay networks: this daemon shares no store with other hosts; start it with --cluster-store etcd://HOST:PORT and --cluster-advertise ADDRESS";

/** Which part of the view a key is of, and what follows. */
const KEY = /^(networks|endpoints|hosts|secrets)(?:\/([^/]+)(?:\/([^/]+))?)?$/;

interface Raised {
  readonly network: Network;
  readonly segment: Segment;
}

/**
 * A bridge on each host, with the same gateway address everywhere, and a VXLAN link as one of its ports. So a container
 * has one link, the way out and published ports are those of any bridge, and what leaves to other networks leaves from
 * the container's own host. The gateway is answered for by the bridge alone: no question for it passes the VXLAN link.
 */
export class OverlayDriver implements NetworkDriver {
  readonly namespace = "new";
  readonly isAddressed = true;
  readonly carriesPorts = true;
  readonly defaultIpam = "etcd";
  readonly #host: NetworkHost;
  readonly #cluster: Cluster | undefined;
  #own: NetworkDriver | undefined;
  readonly #secrecy: Secrecy | undefined;
  readonly #raised = new Map<string, Raised>();
  /** Entered by this host, and not set up yet. */
  readonly #entered = new Set<string>();
  #learning: Promise<void> = Promise.resolve();

  constructor(host: NetworkHost, cluster: Cluster | undefined) {
    this.#host = host;
    this.#cluster = cluster;
    this.#secrecy = cluster === undefined ? undefined : new Secrecy(cluster);
  }

  /** The one that all bridges of this daemon have; one of its own where the daemon has no bridge. */
  get #bridge(): NetworkDriver {
    const shared = this.#host.driver("bridge");
    if (shared !== undefined) return shared;
    this.#own ??= bridgeNetwork.open(this.#host);
    return this.#own;
  }

  get #store(): Cluster {
    if (this.#cluster === undefined) throw new Fault("unsupported", NO_STORE);
    return this.#cluster;
  }

  admit(network: Network, others: readonly Network[]): Network {
    void this.#store;
    checkOptions(network);
    if (network.ipam.driver !== this.defaultIpam)
      throw new Fault(
        "invalid",
        `Cannot use the IPAM driver ${network.ipam.driver} for an overlay network: only ${this.defaultIpam} knows the addresses of all hosts`,
      );
    if (!knowsLinkKind(this.#host.netlink, "vxlan"))
      throw new Fault("unsupported", "Cannot make an overlay network: this kernel has no vxlan links");
    const vni = vniOf(network);
    const other = others.find((one) => one.driver === "overlay" && vni !== undefined && vniOf(one) === vni);
    if (other !== undefined)
      throw new Fault("conflict", `Cannot use the VXLAN id ${vni}: network ${other.name} has it`);
    return { ...network, scope: "global" };
  }

  async announce(network: Network): Promise<Network> {
    if (isEncrypted(network)) await this.#secrecy?.prepare();
    this.#entered.add(network.id);
    try {
      return await enterNetwork(this.#store, network);
    } catch (error) {
      this.#entered.delete(network.id);
      throw error;
    }
  }

  async retract(network: Network): Promise<void> {
    this.#entered.delete(network.id);
    await removeNetwork(this.#store, network);
  }

  async setUp(network: Network, live: readonly EndpointRecord[]): Promise<Network> {
    const { identity, settings } = this.#store;
    if (isEncrypted(network)) {
      await this.#secrecy?.requireUsable();
      await this.#secrecy?.guard();
    }
    const vni = vniOf(network);
    if (vni === undefined) throw new Fault("internal", `Network ${network.name} has no VXLAN id`);
    const underlay = underlayOf(this.#host.netlink, settings.address);
    const mtu = mtuOf(network, underlay);
    await using undo = new AsyncDisposableStack();
    await this.#bridge.setUp(this.#asBridge(network), live);
    undo.defer(() => this.#bridge.tearDown(this.#asBridge(network)));
    const options = { vni, port: portOf(network), local: underlay.address, mtu, hostId: identity.hostId };
    const segment = new Segment(this.#host.netlink, network, options);
    undo.move();
    this.#raised.set(network.id, { network, segment });
    this.#entered.delete(network.id);
    for (const record of live) this.#store.claims.putLater(this.#keyOf(record), this.#shown(record));
    const mirror = this.#store.mirror;
    const prefix = `endpoints/${network.id}/`;
    for (const [key, value] of mirror?.below(prefix) ?? []) this.#put(key, value);
    if (mirror?.isReady) segment.prune();
    this.#settleSecrecy();
    return network;
  }

  /** All networks of the records are set up: from now on this host hears of others, and they of it. */
  async restored(): Promise<void> {
    await this.#own?.restored?.();
    if (this.#cluster === undefined) return;
    const { identity, claims, settings } = this.#cluster;
    const ids = new Set([...this.#raised.keys()].map((id) => id.slice(0, 12)));
    sweepLinks(this.#host.netlink, identity.hostId, ids);
    const { hostId, nonce } = identity;
    claims.putLater(
      this.#cluster.key(KEYS.host(hostId)),
      JSON.stringify({ address: settings.address, nonce }),
    );
    this.#cluster.start({
      put: (key, value) => this.#put(key, value),
      remove: (key) => this.#remove(key),
      ready: () => this.#compare(),
    });
    this.#secrecy?.start(() => this.#settleSecrecy());
  }

  async tearDown(network: Network): Promise<void> {
    const raised = this.#raised.get(network.id);
    this.#raised.delete(network.id);
    for (const key of raised?.segment.peers.keys() ?? []) this.#host.catalog.forgetPeer(network.id, key);
    raised?.segment.takeDown();
    await this.#bridge.tearDown(this.#asBridge(network));
    this.#settleSecrecy();
  }

  async join(network: Network, record: EndpointRecord): Promise<Joined> {
    await this.#store.claims.put(this.#keyOf(record), this.#shown(record));
    return this.#bridge.join(this.#asBridge(network), record);
  }

  async open(network: Network, record: EndpointRecord): Promise<void> {
    await this.#bridge.open(this.#asBridge(network), record);
  }

  carriage(network: Network, record: EndpointRecord): readonly Carriage[] {
    return this.#bridge.carriage?.(this.#asBridge(network), record) ?? [];
  }

  async shut(network: Network, record: EndpointRecord): Promise<void> {
    await this.#bridge.shut(this.#asBridge(network), record);
  }

  async close(network: Network, record: EndpointRecord): Promise<void> {
    await this.#bridge.close(this.#asBridge(network), record);
    await this.#cluster?.claims.give(this.#keyOf(record));
  }

  async settle(): Promise<void> {
    await this.#bridge.settle();
    await this.#learning;
    if (this.#cluster !== undefined) await this.#secrecy?.settle();
  }

  async diagnose(): Promise<readonly Finding[]> {
    if (this.#cluster === undefined) return [];
    const [store, wire] = await Promise.all([
      diagnoseStore(this.#cluster),
      this.#diagnoseWire(this.#cluster),
    ]);
    return [store, wire];
  }

  #diagnoseWire({ settings }: Cluster): Finding {
    const subject = "cluster-advertise";
    try {
      const { mtu } = underlayOf(this.#host.netlink, settings.address);
      const sentence = `Other hosts reach this one at ${settings.address}, with frames of up to ${mtu} bytes`;
      return { subject, verdict: "good", sentence, remedy: "" };
    } catch (error) {
      const remedy = "Give the address to a link, or start the daemon with another --cluster-advertise";
      return { subject, verdict: "broken", sentence: sentenceOf(error), remedy };
    }
  }

  renamed(record: EndpointRecord): void {
    this.#store.claims.putLater(this.#keyOf(record), this.#shown(record));
  }

  /** What the bridge's driver is told of it. */
  #asBridge(network: Network): Network {
    const { mtu, family } = this.#underlay();
    const options = {
      "com.docker.network.bridge.name": bridgeName(network),
      [MTU]: String(mtuOf(network, { mtu, family })),
    };
    return { ...network, driver: "bridge", scope: "local", options };
  }

  /** A network that is taken down needs none. */
  #underlay(): { mtu: number; family: 4 | 6 } {
    try {
      return underlayOf(this.#host.netlink, this.#store.settings.address);
    } catch {
      return { mtu: 1500, family: 4 };
    }
  }

  #keyOf({ networkId, endpoint }: EndpointRecord): string {
    return this.#store.key(`${KEYS.endpoints(networkId)}${endpoint.endpointId}`);
  }

  /** What other hosts are told of a container. */
  #shown({ containerName, endpoint }: EndpointRecord): string {
    const { identity, settings } = this.#store;
    const shown: SharedEndpoint = {
      hostId: identity.hostId,
      hostAddress: settings.address,
      containerName,
      names: [...endpoint.dnsNames],
      macAddress: endpoint.macAddress,
      addresses: [endpoint.address, endpoint.ipv6Address].filter((address) => address !== ""),
    };
    return JSON.stringify(shown);
  }

  #put(key: string, value: string): void {
    const [, part, id = "", endpointId = ""] = KEY.exec(key) ?? [];
    if (part === "hosts" || part === "secrets") this.#settleSecrecy();
    else if (part === "networks") this.#learn(id, value);
    else if (part === "endpoints") {
      const peer = readEndpoint(value);
      const raised = this.#raised.get(id);
      if (peer === undefined || raised === undefined || peer.hostId === this.#store.identity.hostId) return;
      this.#attempt(`reach container ${peer.containerName} of another host`, () =>
        raised.segment.set(endpointId, peer),
      );
      const { containerName, names, addresses } = peer;
      this.#host.catalog.learnPeer(id, endpointId, { containerName, names, addresses });
    }
  }

  #remove(key: string): void {
    const [, part, id = "", endpointId = ""] = KEY.exec(key) ?? [];
    if (part === "hosts" || part === "secrets") this.#settleSecrecy();
    else if (part === "networks") this.#later(() => this.#host.catalog.forget(id));
    else if (part === "endpoints") {
      this.#attempt("forget a container of another host", () =>
        this.#raised.get(id)?.segment.remove(endpointId),
      );
      this.#host.catalog.forgetPeer(id, endpointId);
    }
  }

  #learn(id: string, value: string): void {
    const network = readNetwork(value);
    if (network === undefined || network.id !== id || this.#raised.has(id) || this.#entered.has(id)) return;
    this.#later(async () => {
      if (!this.#raised.has(id)) await this.#host.catalog.learn(network);
    });
  }

  /** What was removed while this daemon was not there to hear of it. */
  #compare(): void {
    for (const [id, { segment }] of this.#raised) {
      this.#attempt("forget containers of other hosts", () => segment.prune());
      if (this.#store.mirror?.get(`networks/${id}`) === undefined && !this.#entered.has(id))
        this.#later(() => this.#host.catalog.forget(id));
    }
    this.#settleSecrecy();
  }

  #settleSecrecy(): void {
    const isNeeded = [...this.#raised.values()].some(({ network }) => isEncrypted(network));
    this.#secrecy?.follow(isNeeded);
  }

  #attempt(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#host.log("error", `Cannot ${what}: ${sentenceOf(error)}`);
    }
  }

  /** One after another, in the order in which they were heard of. */
  #later(work: () => Promise<void>): void {
    this.#learning = this.#learning
      .then(work)
      .catch((error: unknown) => this.#host.log("error", `Cannot follow other hosts: ${sentenceOf(error)}`));
  }
}
