import { type Fault, sentenceOf } from "#errors";
import type { GraphDB } from "#graphdb";
import { type Log, Netlink } from "#host";
import { Addressing, type AddressingParts } from "./addressing.ts";
import { Connections } from "./connections.ts";
import {
  DEFAULT_NETWORKS,
  DRIVER_SHOWN,
  defaultNetwork,
  hostHasIpv6,
  NO_BRIDGE,
  requireBridgeName,
  standInName,
} from "./defaults.ts";
import { Definitions } from "./definitions.ts";
import type {
  BridgeSettings,
  EndpointRequest,
  Finding,
  IpamDriver,
  IpamDriverKind,
  LinkedHost,
  NamespaceHolder,
  Network,
  NetworkCatalog,
  NetworkDriver,
  NetworkDriverKind,
  NetworkRequest,
  Networks,
  PublishedPort,
  Sandbox,
  SandboxRequest,
} from "./driver.ts";
import { dnsNamesOf, portEndpointOf } from "./endpoint.ts";
import { openFirewall } from "./firewall/index.ts";
import { blocksOfHost, DEFAULT_POOLS, DefaultIpam, nullIpam, uniqueLocalPool } from "./ipam.ts";
import { recordsWithoutLink } from "./lost-links.ts";
import { NameService } from "./name-service.ts";
import { type ForeignKinds, NetworkDrivers } from "./network-drivers.ts";
import { askerOf, type RoomParts } from "./parts.ts";
import { reportPorts } from "./port-report.ts";
import { PortTable, portInUse } from "./ports.ts";
import { Relays } from "./relays.ts";
import { Sandboxes } from "./sandboxes.ts";
import { NetworkStore, type SandboxRecord } from "./store.ts";

export interface NetworkOptions {
  readonly database: GraphDB;
  readonly settings: BridgeSettings;
  readonly kinds: readonly NetworkDriverKind[];
  /** Beside `default` and `null`, which are the room's own. */
  readonly ipamKinds?: readonly IpamDriverKind[];
  /** Programs that have networks and addresses of their own. */
  readonly foreign?: ForeignKinds;
  /** The launcher's argument vector with these words behind it. */
  readonly launcherCommand: (args: readonly string[]) => readonly string[];
  /** A folder that is this daemon's alone; tells its relays from another daemon's. */
  readonly stateDirectory: string;
  /** When it fires nothing is done any more that was not asked for: rules that others remove stay away. */
  readonly signal?: AbortSignal;
  readonly log: Log;
}

/** Reads the records and makes the default networks' ones; touches nothing on the host until `restore`. */
export async function openNetworks(options: NetworkOptions): Promise<Networks> {
  requireBridgeName(options.settings.name);
  await using undo = new AsyncDisposableStack();
  const netlink = undo.use(new Netlink());
  const store = new NetworkStore(options.database);
  const { kinds, settings } = options;
  const hasBridge = settings.name !== NO_BRIDGE;
  const defaults = DEFAULT_NETWORKS.filter((name) => hasBridge || name !== "bridge");
  for (const name of defaults)
    if (store.named(name) === undefined && kinds.some((kind) => kind.name === name)) {
      const network = defaultNetwork(name);
      store.begin(network);
      store.commit(network);
    }
  // Rules are told from another daemon's by the bridge's name: who has none needs one all the same.
  const named = hasBridge ? settings : { ...settings, name: standInName(options.stateDirectory) };
  const networks = new HostNetworks({ ...options, settings: named }, { store, netlink, hasBridge });
  undo.move();
  return networks;
}

class HostNetworks implements Networks {
  readonly #options: NetworkOptions;
  readonly #drivers: NetworkDrivers;
  readonly #parts: RoomParts;
  readonly #sandboxes: Sandboxes;
  readonly #connections: Connections;

  constructor(
    options: NetworkOptions,
    { store, netlink, hasBridge }: { store: NetworkStore; netlink: Netlink; hasBridge: boolean },
  ) {
    this.#options = options;
    const { settings, log, foreign } = options;
    const drivers = new NetworkDrivers(foreign?.networks({ netlink }));
    this.#drivers = drivers;
    const addressing = new Addressing({ store, driverOf: ipamDrivers(options, store, netlink), log });
    const definitions = new Definitions({ store, drivers, addressing, settings, hasBridge, netlink, log });
    this.#parts = {
      store,
      definitions,
      addressing,
      ports: new PortTable({ defaultAddress: settings.defaultAddress, hasIpv6: hostHasIpv6() }),
      names: new NameService(store, log),
      netlink,
      firewall: openFirewall(settings, { log, ...(options.signal && { signal: options.signal }) }),
      settings,
      log,
    };
    this.#sandboxes = new Sandboxes(this.#parts);
    this.#connections = new Connections(this.#parts, this.#sandboxes);
    this.#openDrivers();
  }

  #openDrivers(): void {
    const { launcherCommand, stateDirectory, kinds, settings, log } = this.#options;
    const { netlink, firewall } = this.#parts;
    const relays = new Relays(launcherCommand, stateDirectory);
    const driver = (name: string) => this.#drivers.own(name);
    const parts = { settings, netlink, firewall, relays, stateDirectory, log };
    const host = { catalog: this.#catalog(), driver, ...parts };
    for (const kind of kinds)
      if (kind.probe().usable) this.#drivers.add(DRIVER_SHOWN[kind.name] ?? kind.name, kind.open(host));
  }

  #catalog(): NetworkCatalog {
    const { definitions, names } = this.#parts;
    return {
      learn: (network) => definitions.learn(network),
      forget: (networkId) => definitions.forget(networkId),
      learnPeer: (networkId, key, peer) => names.learnPeer(networkId, key, peer),
      forgetPeer: (networkId, key) => names.forgetPeer(networkId, key),
    };
  }

  list(): readonly Network[] {
    return this.#parts.store.all();
  }

  find(text: string): Network | undefined {
    return this.#parts.store.find(text);
  }

  create(request: NetworkRequest) {
    return this.#plainly(this.#parts.definitions.create(request));
  }

  /** Of an error that came while undoing after another: the other is thrown, and this one logged. */
  async #plainly<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (thrown) {
      let first: unknown = thrown;
      while (first instanceof SuppressedError) {
        this.#parts.log("error", `What had been begun is not wholly undone: ${sentenceOf(first.error)}`);
        first = first.suppressed;
      }
      throw first;
    }
  }

  async remove(text: string, options?: { readonly force?: boolean }): Promise<Network> {
    const network = await this.#parts.definitions.remove(text, options);
    this.#parts.names.forgetNetwork(network.id);
    return network;
  }

  prepare(request: SandboxRequest): Promise<Sandbox> {
    return this.#plainly(this.#sandboxes.prepare(request));
  }

  connect(containerId: string, request: EndpointRequest, holder: NamespaceHolder) {
    return this.#plainly(this.#connections.connect(containerId, request, holder));
  }

  disconnect(containerId: string, network: string, holder?: NamespaceHolder) {
    return this.#plainly(this.#connections.disconnect(containerId, network, holder));
  }

  release(containerId: string): Promise<void> {
    return this.#sandboxes.release(containerId);
  }

  relink(containerId: string, hosts: readonly LinkedHost[]): Promise<void> {
    return this.#sandboxes.relink(containerId, hosts);
  }

  rename(containerId: string, name: string): void {
    const { store, names, ports } = this.#parts;
    const sandbox = store.sandbox(containerId);
    if (sandbox === undefined) return;
    const renamed = { ...sandbox, containerName: name };
    const records = store.ofContainer(containerId).map((record) => {
      const { endpoint } = record;
      const dnsNames = endpoint.interfaceName === "" ? [] : dnsNamesOf(askerOf(renamed), endpoint.aliases);
      return { ...record, containerName: name, endpoint: { ...endpoint, dnsNames } };
    });
    store.put(records, { sandbox: renamed });
    ports.release(containerId, sandbox.ports);
    ports.hold({ containerId, containerName: name }, sandbox.ports);
    names.publish(containerId);
    for (const record of records)
      this.#drivers.get(store.get(record.networkId)?.driver ?? "")?.renamed?.(record);
  }

  members(networkId: string) {
    return this.#parts.store.onNetwork(networkId).map(({ containerId, containerName, endpoint }) => ({
      containerId,
      name: containerName,
      endpoint,
    }));
  }

  endpoints(containerId: string) {
    const records = this.#parts.store.ofContainer(containerId);
    return {
      endpoints: records.map(({ endpoint }) => endpoint),
      ports: records.flatMap(({ ports }) => ports),
    };
  }

  async restore(running: ReadonlyMap<string, NamespaceHolder>): Promise<void> {
    const { store, ports, definitions, names, log } = this.#parts;
    const ended = store.containers().filter((id) => !running.has(id));
    const lost = [...running].flatMap(([id, holder]) => recordsWithoutLink(this.#parts, id, holder));
    const gone = [...ended.flatMap((id) => store.ofContainer(id)), ...lost];
    for (const id of ended) store.removeContainer(id);
    for (const record of lost) store.removeEndpoint(record);
    for (const id of store.containers()) {
      const sandbox = store.sandbox(id);
      if (sandbox !== undefined) ports.release(id, sandbox.ports);
      if (sandbox !== undefined) ports.hold(sandbox, sandbox.ports);
      if (sandbox !== undefined) this.#settlePorts(sandbox);
    }
    await definitions.restore();
    // Plugins know of them still; a start waits for none.
    void this.#sandboxes
      .abandon(gone)
      .catch((error: unknown) => log("error", `Plugins may keep what has ended: ${sentenceOf(error)}`));
    for (const [id, holder] of running) {
      const sandbox = store.sandbox(id);
      await (sandbox && names.enter(sandbox, holder))?.catch((error: unknown) =>
        log("error", `Container ${id.slice(0, 12)} has no name service: ${sentenceOf(error)}`),
      );
    }
  }

  /** They were perhaps on their way from one endpoint to another when the daemon ended. */
  #settlePorts({ containerId, ports }: SandboxRecord): void {
    const { store } = this.#parts;
    const records = store.ofContainer(containerId);
    const carrier = portEndpointOf(records);
    const driver = this.#drivers.get(store.get(carrier?.networkId ?? "")?.driver ?? "");
    const settled = records.map((record) => ({
      ...record,
      ports: record === carrier && driver?.carriesPorts === true ? ports : [],
    }));
    const changed = settled.filter((now, index) => now.ports.length !== records[index]?.ports.length);
    if (changed.length > 0) store.put(changed);
  }

  portConflict(port: Omit<PublishedPort, "containerPort">): Fault {
    return portInUse(port);
  }

  publishedPorts() {
    const { store } = this.#parts;
    return reportPorts(store.endpoints(), (record) => {
      const network = store.get(record.networkId);
      return (network && this.#drivers.get(network.driver)?.carriage?.(network, record)) ?? [];
    });
  }

  async diagnose(): Promise<readonly Finding[]> {
    const all = this.#drivers.entries().map(([name, driver]) => diagnoseDriver(name, driver));
    return (await Promise.all(all)).flat();
  }

  warnings(): readonly string[] {
    const { settings, kinds } = this.#options;
    const missing = settings.iptables ? this.#parts.firewall.missing() : undefined;
    const unusable = kinds.flatMap((kind) => {
      const verdict = kind.probe();
      return verdict.usable ? [] : [`Network driver ${kind.name} cannot be used: ${verdict.reason}`];
    });
    if (missing === undefined) return unusable;
    return [...unusable, `${missing}: containers reach no other host, and no port can be published`];
  }

  /** While containers run all stays as it is, for them; with none nothing is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { store } = this.#parts;
    using netlink = this.#parts.netlink;
    void netlink;
    using names = this.#parts.names;
    void names;
    for (const driver of this.#drivers.values()) await driver.settle();
    for (const network of store.networks())
      if (store.onNetwork(network.id).length === 0)
        await this.#drivers.get(network.driver)?.tearDown(network);
    await this.#parts.firewall[Symbol.asyncDispose]();
  }
}

/** That one cannot be asked is a finding too. */
async function diagnoseDriver(name: string, driver: NetworkDriver): Promise<readonly Finding[]> {
  try {
    return (await driver.diagnose?.()) ?? [];
  } catch (error) {
    const sentence = `It could not be looked at: ${sentenceOf(error)}`;
    return [{ subject: `network driver ${name}`, verdict: "broken", sentence, remedy: "" }];
  }
}

function ipamDrivers(
  { settings, ipamKinds = [], foreign }: NetworkOptions,
  store: NetworkStore,
  netlink: Netlink,
): AddressingParts["driverOf"] {
  const pools = settings.addressPools.length > 0 ? settings.addressPools : DEFAULT_POOLS;
  const hasIpv6 = pools.some(({ base }) => base.includes(":"));
  const ula = uniqueLocalPool(crypto.getRandomValues(new Uint8Array(5)));
  const own = new DefaultIpam({
    pools: hasIpv6 ? pools : [...pools, ula],
    taken: () => blocksOfHost(netlink),
    last: { 4: store.cursor("subnets/4"), 6: store.cursor("subnets/6") },
  });
  const others = [nullIpam, ...ipamKinds].map(({ name, open }) => [name, open()] as const);
  const known = new Map<string, IpamDriver>([["default", own], ...others]);
  return (name) => {
    const found = known.get(name) ?? foreign?.addresses(name);
    if (found !== undefined) known.set(name, found);
    return found;
  };
}
