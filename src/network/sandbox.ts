import { Fault, sentenceOf } from "#errors";
import type { GraphDB } from "#graphdb";
import { type Log, Netlink } from "#host";
import { type IpAddress, parseAddress, parsePrefix } from "./addresses.ts";
import {
  DEFAULT_NETWORKS,
  DRIVER_SHOWN,
  defaultNetwork,
  hostHasIpv6,
  NO_BRIDGE,
  requireBridgeName,
} from "./defaults.ts";
import type {
  BridgeSettings,
  Endpoint,
  EndpointRecord,
  Finding,
  Joined,
  NamespaceHolder,
  Network,
  NetworkCatalog,
  NetworkDriver,
  NetworkDriverKind,
  Networks,
  PortReport,
  PublishedPort,
  Sandbox,
  SandboxRequest,
} from "./driver.ts";
import { endpointOf, reservationsOf } from "./endpoint.ts";
import { filesIn, writeFiles } from "./files.ts";
import { Firewall } from "./firewall.ts";
import { AddressRange } from "./ipam.ts";
import { IptablesBackend } from "./iptables.ts";
import { addDefaultRoute, bringLoopbackUp } from "./netlink-steps.ts";
import { PortTable, portInUse } from "./ports.ts";
import { Relays } from "./relays.ts";
import { NetworkStore } from "./store.ts";

export interface NetworkOptions {
  readonly database: GraphDB;
  readonly settings: BridgeSettings;
  readonly kinds: readonly NetworkDriverKind[];
  /** The launcher's argument vector with these words behind it. */
  readonly launcherCommand: (args: readonly string[]) => readonly string[];
  /** A folder that is this daemon's alone; tells its relays from another daemon's. */
  readonly stateDirectory: string;
  readonly log: Log;
}

/** Reads the records and makes the default networks' ones; touches nothing on the host until `restore`. */
export async function openNetworks(options: NetworkOptions): Promise<Networks> {
  requireBridgeName(options.settings.name);
  await using undo = new AsyncDisposableStack();
  const netlink = undo.use(new Netlink());
  const store = new NetworkStore(options.database);
  const kinds = options.kinds.filter(({ name }) => name !== "bridge" || options.settings.name !== NO_BRIDGE);
  for (const name of DEFAULT_NETWORKS)
    if (store.named(name) === undefined && kinds.some((kind) => kind.name === name))
      store.create(defaultNetwork(name));
  const networks = new HostNetworks({ ...options, kinds }, store, netlink);
  undo.move();
  return networks;
}

const NO_CATALOG: NetworkCatalog = {
  learn: async () => {},
  forget: async () => {},
  learnPeer: () => {},
  forgetPeer: () => {},
};

const SHARED: Joined = { links: [], sysctls: {} };

class HostNetworks implements Networks {
  readonly #options: NetworkOptions;
  readonly #store: NetworkStore;
  readonly #netlink: Netlink;
  readonly #drivers = new Map<string, NetworkDriver>();
  readonly #ports: PortTable;
  readonly #firewall: Firewall;
  readonly #ranges = new Map<string, AddressRange>();

  constructor(options: NetworkOptions, store: NetworkStore, netlink: Netlink) {
    this.#options = options;
    this.#store = store;
    this.#netlink = netlink;
    const { settings, launcherCommand, stateDirectory, log } = options;
    this.#firewall = new Firewall(new IptablesBackend(settings.name), log);
    this.#ports = new PortTable({ defaultAddress: settings.defaultAddress, hasIpv6: hostHasIpv6() });
    const host = {
      catalog: NO_CATALOG,
      settings,
      netlink,
      firewall: this.#firewall,
      relays: new Relays(launcherCommand, stateDirectory),
      log,
    };
    for (const kind of options.kinds)
      if (kind.probe().usable) this.#drivers.set(DRIVER_SHOWN[kind.name] ?? kind.name, kind.open(host));
  }

  list(): readonly Network[] {
    return this.#store.networks();
  }

  find(text: string): Network | undefined {
    return this.#store.find(text);
  }

  async create(): Promise<never> {
    throw new Fault("unsupported", "Cannot create the network: networks of one's own are not built yet");
  }

  async remove(text: string): Promise<Network> {
    const { name } = this.#require(text);
    throw new Fault("denied", `${name} is a pre-defined network and cannot be removed`);
  }

  async connect(): Promise<Endpoint> {
    throw new Fault("unsupported", "Cannot connect a running container to a network: that is not built yet");
  }

  async disconnect(): Promise<Endpoint> {
    throw new Fault("unsupported", "Cannot disconnect a running container: that is not built yet");
  }

  rename(): void {}

  members(networkId: string) {
    return this.#store
      .endpoints()
      .filter((record) => record.networkId === networkId)
      .map(({ containerId, containerName, endpoint }) => ({ containerId, name: containerName, endpoint }));
  }

  async diagnose(): Promise<readonly Finding[]> {
    const all = [...this.#drivers.values()].map(async (driver) => (await driver.diagnose?.()) ?? []);
    return (await Promise.all(all)).flat();
  }

  publishedPorts(): readonly PortReport[] {
    return [];
  }

  endpoints(containerId: string) {
    const records = this.#store.ofContainer(containerId);
    return {
      endpoints: records.map(({ endpoint }) => endpoint),
      ports: records.flatMap(({ ports }) => ports),
    };
  }

  portConflict(port: Omit<PublishedPort, "containerPort">): Fault {
    return portInUse(port);
  }

  warnings(): readonly string[] {
    const { settings, kinds } = this.#options;
    const missing = settings.iptables ? this.#firewall.missing() : undefined;
    const unusable = kinds.flatMap((kind) => {
      const verdict = kind.probe();
      return verdict.usable ? [] : [`Network driver ${kind.name} cannot be used: ${verdict.reason}`];
    });
    if (missing === undefined) return unusable;
    return [...unusable, `${missing}: containers reach no other host, and no port can be published`];
  }

  async prepare(request: SandboxRequest): Promise<Sandbox> {
    const { mode } = request;
    if (mode.kind === "container") return this.#share(mode);
    const network = this.#require(mode.kind === "networks" ? this.#only(request) : mode.kind);
    const driver = this.#driverOf(network);
    if (this.#store.ofContainer(request.containerId).length > 0) await this.release(request.containerId);
    const record = this.#claim(request, network, driver);
    try {
      return await this.#sandbox(request, network, record);
    } catch (error) {
      this.#forget(request.containerId);
      throw error;
    }
  }

  #only({ endpoints }: SandboxRequest): string {
    const [first, ...others] = endpoints;
    if (first !== undefined && others.length === 0) return first.network;
    throw new Fault("unsupported", "Cannot join other than one network");
  }

  /** Address and ports, written down before anything is made with them. */
  #claim(request: SandboxRequest, network: Network, driver: NetworkDriver): EndpointRecord {
    const { containerId, name: containerName, directory } = request;
    const owner = { containerId, containerName };
    const asked = driver.isAddressed ? request.ports : [];
    this.#requireCarrier(asked.length);
    const range = driver.isAddressed ? this.#rangeOf(network) : undefined;
    const ports = this.#ports.take(owner, asked);
    const address = this.#give(range, () => this.#ports.release(containerId, ports));
    const endpoint = endpointOf(network, address, request.endpoints[0]);
    const link = address === undefined ? "" : `veth${endpoint.endpointId.slice(0, 8)}`;
    const record = { ...owner, networkId: network.id, directory, link, endpoint, ports };
    try {
      this.#store.add(record);
    } catch (error) {
      this.#ports.release(containerId, ports);
      if (address !== undefined) range?.free(address);
      throw error;
    }
    return record;
  }

  #give(range: AddressRange | undefined, undo: () => void): IpAddress | undefined {
    try {
      return range?.give();
    } catch (error) {
      undo();
      throw error;
    }
  }

  #requireCarrier(ports: number): void {
    if (ports === 0 || !this.#options.settings.iptables) return;
    const missing = this.#firewall.missing();
    if (missing !== undefined)
      throw new Fault(
        "unsupported",
        `Cannot publish ports: ${missing}; install iptables, or start without ports`,
      );
  }

  async #sandbox(request: SandboxRequest, network: Network, record: EndpointRecord): Promise<Sandbox> {
    const driver = this.#driverOf(network);
    const { endpoint } = record;
    const files = writeFiles(request, {
      addresses: endpoint.address === "" ? [] : [endpoint.address],
      hostGateway: network.ipam.pools.find(({ family }) => family === 4)?.gateway ?? "",
      isHostMode: driver.namespace === "host",
      hasIpv6: endpoint.ipv6Address !== "" || driver.namespace === "host",
    });
    const { links, sysctls, gateway } = await driver.join(network, record);
    const router = parseAddress(gateway ?? "");
    const route = router === undefined ? [] : [addDefaultRoute(endpoint.interfaceName, router)];
    return {
      namespace: { kind: driver.namespace },
      links: driver.namespace === "new" ? [bringLoopbackUp(), ...links, ...route] : links,
      sysctls,
      files,
      reservations: this.#options.settings.iptables ? reservationsOf(record.ports) : [],
      endpoints: [endpoint],
      ports: record.ports,
      open: () => driver.open(network, record),
      enter: async () => {},
      // Of a start that failed nothing shall be seen afterwards.
      [Symbol.asyncDispose]: async () => {
        await this.release(request.containerId);
        await driver.settle();
      },
    };
  }

  #share(other: { readonly id: string; readonly pid: number }): Sandbox {
    const [record] = this.#store.ofContainer(other.id);
    if (record === undefined)
      throw new Fault(
        "conflict",
        `Cannot join the network of container ${other.id.slice(0, 12)}: it is not running; start it first`,
      );
    const isHost = this.#driverOf(this.#require(record.networkId)).namespace === "host";
    return {
      namespace: isHost ? { kind: "host" } : { kind: "path", path: `/proc/${other.pid}/ns/net` },
      ...SHARED,
      files: filesIn(record.directory),
      reservations: [],
      endpoints: [],
      ports: [],
      open: async () => {},
      enter: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async release(containerId: string): Promise<void> {
    const failures: unknown[] = [];
    for (const record of this.#store.ofContainer(containerId)) {
      const network = this.#require(record.networkId);
      await this.#driverOf(network)
        .close(network, record)
        .catch((error: unknown) => failures.push(error));
    }
    this.#forget(containerId);
    for (const failure of failures)
      this.#options.log("error", `Something of container ${containerId} may be left: ${sentenceOf(failure)}`);
  }

  /** Address and ports can be given to others. */
  #forget(containerId: string): void {
    for (const { networkId, endpoint, ports } of this.#store.ofContainer(containerId)) {
      this.#ports.release(containerId, ports);
      const address = parseAddress(endpoint.address);
      if (address !== undefined) this.#ranges.get(networkId)?.free(address);
    }
    this.#store.removeContainer(containerId);
  }

  async restore(running: ReadonlyMap<string, NamespaceHolder>): Promise<void> {
    const stale = this.#store.containers().filter((id) => !running.has(id));
    for (const id of stale) this.#store.removeContainer(id);
    for (const network of this.#store.networks()) {
      const driver = this.#drivers.get(network.driver);
      if (driver === undefined) continue;
      const live = this.#store.endpoints().filter(({ networkId }) => networkId === network.id);
      for (const record of live) this.#ports.release(record.containerId, record.ports);
      for (const record of live) this.#ports.hold(record, record.ports);
      const now = await driver.setUp(network, live);
      this.#store.update(now);
      if (driver.isAddressed) this.#ranges.set(now.id, this.#makeRange(now, live));
    }
  }

  #makeRange(network: Network, live: readonly EndpointRecord[]): AddressRange {
    const { fixedCidr } = this.#options.settings;
    const pool = network.ipam.pools.find(({ family }) => family === 4);
    const subnet = parsePrefix(pool?.subnet ?? "")?.subnet;
    const gateway = parseAddress(pool?.gateway ?? "");
    if (subnet === undefined || gateway === undefined)
      throw new Fault("internal", `Cannot give addresses of network ${network.name}: it has no subnet`);
    const within = fixedCidr === undefined ? subnet : parsePrefix(fixedCidr)?.subnet;
    if (within === undefined)
      throw new Fault(
        "invalid",
        `Cannot use --fixed-cidr ${fixedCidr}: it is not an address with a prefix length`,
      );
    const range = new AddressRange(subnet, gateway, within);
    for (const { endpoint } of live) {
      const address = parseAddress(endpoint.address);
      if (address !== undefined) range.occupy(address);
    }
    return range;
  }

  #rangeOf(network: Network): AddressRange {
    const range = this.#ranges.get(network.id);
    if (range === undefined)
      throw new Fault("unavailable", `Cannot join network ${network.name}: it is not set up on this host`);
    return range;
  }

  #require(text: string): Network {
    const network = this.#store.find(text);
    if (network === undefined) throw new Fault("not_found", `network ${text} not found`);
    return network;
  }

  #driverOf(network: Network): NetworkDriver {
    const driver = this.#drivers.get(network.driver);
    if (driver === undefined)
      throw new Fault(
        "unsupported",
        `Cannot use network ${network.name}: the network driver ${network.driver} is not available on this host`,
      );
    return driver;
  }

  /** While containers run all stays as it is, for them; with none nothing is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    using netlink = this.#netlink;
    void netlink;
    for (const driver of this.#drivers.values()) await driver.settle();
    for (const network of this.#store.networks()) {
      const isUsed = this.#store.endpoints().some(({ networkId }) => networkId === network.id);
      if (!isUsed) await this.#drivers.get(network.driver)?.tearDown(network);
    }
  }
}
