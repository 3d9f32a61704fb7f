import { Fault, sentenceOf } from "#errors";
import { findLink, type Log, type Netlink } from "#host";
import { formatSubnet, overlaps, parsePrefix } from "./addresses.ts";
import { type Addressing, poolIdOf } from "./addressing.ts";
import { isConfiguration, notForContainers, refuseFollowed, requireSource } from "./configuration.ts";
import { DEFAULT_BRIDGE, PREDEFINED_NETWORKS } from "./defaults.ts";
import { draftOf, warningOf } from "./draft.ts";
import type { BridgeSettings, EndpointRecord, Network, NetworkDriver, NetworkRequest } from "./driver.ts";
import { blocksOfHost } from "./ipam.ts";
import type { NetworkDrivers } from "./network-drivers.ts";
import type { Cursors, NetworkStore } from "./store.ts";

const BRIDGE_NAME_OPTION = "com.docker.network.bridge.name";

/** Of the engine's own drivers. */
const OWN_QUEUE = "";

export interface DefinitionParts {
  readonly store: NetworkStore;
  readonly drivers: Pick<NetworkDrivers, "get" | "find" | "ownNames" | "values">;
  readonly addressing: Addressing;
  readonly settings: Pick<BridgeSettings, "defaultNetworkOptions">;
  /** Whether the daemon has a bridge of its own. */
  readonly hasBridge: boolean;
  readonly netlink: Netlink;
  readonly log: Log;
}

/** The networks themselves: made, removed, brought back at a start of the daemon. One change after another. */
export class Definitions {
  readonly #parts: DefinitionParts;
  /** Why one could not be brought back. */
  readonly #broken = new Map<string, string>();
  /** Removed on another host while containers of this one are on it. */
  readonly #orphans = new Set<string>();
  /** By whom others wait for: a plugin keeps nobody waiting but those who want networks of its own. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(parts: DefinitionParts) {
    this.#parts = parts;
  }

  find(text: string): Network | undefined {
    return this.#parts.store.find(text);
  }

  require(text: string): Network {
    const network = this.#parts.store.find(text);
    if (network === undefined) throw new Fault("not_found", `network ${text.slice(0, 256)} not found`);
    return network;
  }

  driverOf(network: Network): NetworkDriver {
    const driver = this.#parts.drivers.get(network.driver);
    if (driver !== undefined) return driver;
    throw new Fault(
      "unsupported",
      `Cannot use network ${network.name}: the network driver ${network.driver} is not available on this host`,
    );
  }

  /**
   * As driverOf. One that could not be brought back at the daemon's start is tried again: its parent interface or its
   * store may be there now. Throws `unavailable` with the reason when it still cannot.
   */
  async usable(network: Network): Promise<NetworkDriver> {
    if (isConfiguration(network)) throw notForContainers(network);
    if (this.#broken.has(network.id)) await this.#inTurn(this.#queueOf(network), () => this.#retry(network));
    return this.driverOf(network);
  }

  async #retry(network: Network): Promise<void> {
    if (!this.#broken.has(network.id)) return;
    try {
      await this.#parts.addressing.restore(network, this.#liveOn(network));
      await this.#bringBack(network);
      this.#broken.delete(network.id);
    } catch (cause) {
      const reason = sentenceOf(cause);
      this.#broken.set(network.id, reason);
      throw new Fault(
        "unavailable",
        `Cannot use network ${network.name}: it was not brought back: ${reason}`,
        {
          cause,
        },
      );
    }
  }

  async create(request: NetworkRequest): Promise<{ readonly network: Network; readonly warning: string }> {
    const draft = await draftOf(request, this.#parts);
    if (isConfiguration(draft)) return this.#keep(draft);
    return this.#inTurn(this.#queueOf(draft), async () => {
      const { store, addressing } = this.#parts;
      if (draft.configFrom !== undefined) requireSource(draft, store);
      const driver = this.driverOf(draft);
      if (store.named(draft.name) !== undefined)
        throw new Fault("conflict", `network with name ${draft.name} already exists`);
      const admitted = driver.admit(draft, store.networks());
      await using undo = new AsyncDisposableStack();
      store.begin(admitted);
      undo.defer(() => store.forget(admitted.id));
      const pooled = await addressing.openPools(admitted, undo);
      const announced = (await driver.announce?.(pooled)) ?? pooled;
      this.#undo(undo, "retract", async () => driver.retract?.(announced));
      const network = await driver.setUp(announced, []);
      this.#undo(undo, "remove", () => driver.tearDown(network));
      store.commit(network, chosenSubnets(draft, network));
      undo.move();
      return { network, warning: warningOf(draft) };
    });
  }

  /** Options for other networks: nothing of it is on the host. */
  async #keep(network: Network): Promise<{ readonly network: Network; readonly warning: string }> {
    this.#parts.store.begin(network);
    this.#parts.store.commit(network);
    return { network, warning: "" };
  }

  /** What cannot be undone is logged: whoever asked is to read why it was undone. */
  #undo(undo: AsyncDisposableStack, verb: string, work: () => Promise<void>): void {
    undo.defer(() =>
      work().catch((error: unknown) =>
        this.#parts.log("error", `Cannot ${verb} a network that was not made: ${sentenceOf(error)}`),
      ),
    );
  }

  /** `force`: what belongs to a plugin that does not answer is forgotten. */
  async remove(text: string, { force = false }: { readonly force?: boolean } = {}): Promise<Network> {
    return this.#inTurn(this.#queueOf(this.require(text)), async () => {
      const { store } = this.#parts;
      const network = this.require(text);
      if (PREDEFINED_NETWORKS.includes(network.name))
        throw new Fault("denied", `${network.name} is a pre-defined network and cannot be removed`);
      refuseUsed(network, store.onNetwork(network.id));
      refuseFollowed(network, store.networks());
      store.doom(network);
      try {
        await this.#dispose(network, force);
      } catch (error) {
        store.commit(network);
        throw error;
      }
      return network;
    });
  }

  async #dispose(network: Network, force: boolean): Promise<void> {
    const { drivers, addressing, store } = this.#parts;
    if (isConfiguration(network)) return store.forget(network.id);
    const driver = drivers.get(network.driver);
    const canPass = force && driver?.isForeign === true;
    // First of all it is refused, while containers of other hosts are on it.
    await this.#pass(canPass, network, async () => driver?.retract?.(network));
    await driver?.tearDown(network);
    try {
      await this.#pass(force && addressing.isForeign(network), network, () => addressing.closePools(network));
    } catch (error) {
      await addressing.restore(network, []).catch(() => {});
      throw error;
    }
    store.forget(network.id);
    this.#broken.delete(network.id);
  }

  async #pass(canPass: boolean, { name }: Network, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!canPass) throw error;
      this.#parts.log(
        "warn",
        `Something of network ${name} may be left with its plugin: ${sentenceOf(error)}`,
      );
    }
  }

  /** Brings all of them back as the live endpoints need them; what was half made or half removed goes. */
  async restore(): Promise<void> {
    const { store, addressing, drivers, log } = this.#parts;
    if (!this.#parts.hasBridge) this.#leaveBridge();
    for (const network of store.pending())
      await this.#dispose(network, true).catch((error: unknown) =>
        log("error", `Cannot remove what is left of network ${network.name}: ${sentenceOf(error)}`),
      );
    const networks = store.networks();
    // All before one is chosen: none may be given what is another's.
    for (const network of networks)
      await this.#attempt(network, () => addressing.restore(network, this.#liveOn(network)));
    for (const network of networks) await this.#attempt(network, () => this.#bringBack(network));
    for (const driver of drivers.values()) await driver.restored?.();
  }

  /** An earlier start of this daemon had one. While containers are on it, it stays as it is. */
  #leaveBridge(): void {
    const { store } = this.#parts;
    const bridge = store.networks().find(isDefaultBridge);
    if (bridge !== undefined && store.onNetwork(bridge.id).length === 0) store.doom(bridge);
  }

  #liveOn({ id }: Network) {
    return this.#parts.store.onNetwork(id).map(({ endpoint }) => endpoint);
  }

  /** Without its own bridge a daemon does not start; another network's trouble is not all containers'. */
  async #attempt(network: Network, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isDefaultBridge(network) && this.#parts.hasBridge) throw error;
      this.#broken.set(network.id, sentenceOf(error));
      this.#parts.log("error", `Cannot bring network ${network.name} back: ${sentenceOf(error)}`);
    }
  }

  async #bringBack(network: Network): Promise<void> {
    const { store, addressing, drivers, log } = this.#parts;
    const driver = drivers.get(network.driver);
    if (driver === undefined) {
      log("warn", `Network ${network.name} has the driver ${network.driver}, which is not available`);
      return;
    }
    if (isDefaultBridge(network) && !this.#parts.hasBridge)
      throw new Fault(
        "unavailable",
        "this daemon has no bridge of its own (--bridge none); it is kept for the containers that run on it, whose ports are published no more",
      );
    const wanted = isDefaultBridge(network) ? await this.#readmit(network, driver) : network;
    const now = await driver.setUp(wanted, store.onNetwork(network.id));
    if (poolsOf(now) !== poolsOf(wanted)) {
      await addressing.closePools(wanted);
      await addressing.restore(now, this.#liveOn(network));
    }
    store.update(now);
  }

  /** The daemon's own bridge follows the settings of this start; its subnet gives way to a new route of the host. */
  async #readmit(network: Network, driver: NetworkDriver): Promise<Network> {
    const { store, addressing } = this.#parts;
    const isFree = store.onNetwork(network.id).length === 0 && this.#isOverlapped(network);
    const before = isFree ? { ...network, ipam: { ...network.ipam, pools: [] } } : network;
    const others = store.networks().filter(({ id }) => id !== network.id);
    const admitted = driver.admit(before, others);
    if (admitted.ipam.pools.length > 0 && poolsOf(admitted) === poolsOf(network)) return admitted;
    await addressing.closePools(network);
    await using undo = new AsyncDisposableStack();
    const opened = await addressing.openPools(admitted, undo);
    undo.move();
    // What runs keeps its addresses.
    await addressing.restore(opened, this.#liveOn(network));
    return opened;
  }

  #isOverlapped({ options, ipam }: Network): boolean {
    const link = findLink(this.#parts.netlink, options[BRIDGE_NAME_OPTION] ?? "");
    const blocks = blocksOfHost(this.#parts.netlink, link?.index ?? 0);
    return ipam.pools.some(({ subnet }) => {
      const own = parsePrefix(subnet)?.subnet;
      return own !== undefined && blocks.some((other) => overlaps(other, own));
    });
  }

  /** A network made on another host, or changed there. */
  async learn(network: Network): Promise<void> {
    await this.#inTurn(OWN_QUEUE, async () => {
      const { store, addressing, log } = this.#parts;
      const driver = this.driverOf(network);
      const namesake = store.named(network.name);
      if (namesake !== undefined && namesake.id !== network.id) {
        log("warn", `Network ${network.name} of another host is not used: this host has one of that name`);
        return;
      }
      const isNew = store.get(network.id) === undefined;
      if (isNew) store.begin(network);
      await using undo = new AsyncDisposableStack();
      if (isNew) undo.defer(() => store.forget(network.id));
      if (isNew) await addressing.restore(network, []);
      store.commit(await driver.setUp(network, store.onNetwork(network.id)));
      undo.move();
      this.#orphans.delete(network.id);
      this.#broken.delete(network.id);
    });
  }

  /** One that was removed on another host: it goes here too once no container of this host is on it. */
  async forget(networkId: string): Promise<void> {
    await this.#inTurn(OWN_QUEUE, async () => {
      const { store } = this.#parts;
      const network = store.get(networkId);
      if (network === undefined) return;
      if (store.onNetwork(networkId).length > 0) {
        this.#orphans.add(networkId);
        return;
      }
      this.#orphans.delete(networkId);
      store.doom(network);
      await this.#parts.drivers.get(network.driver)?.tearDown(network);
      store.forget(networkId);
    });
  }

  /** After containers have left it. */
  async left(networkId: string): Promise<void> {
    if (this.#orphans.has(networkId)) await this.forget(networkId);
  }

  #queueOf({ driver }: Network): string {
    return this.#parts.drivers.get(driver)?.isForeign === true ? driver : OWN_QUEUE;
  }

  #inTurn<Result>(queue: string, work: () => Promise<Result>): Promise<Result> {
    const mine = (this.#last.get(queue) ?? Promise.resolve()).then(work);
    this.#last.set(
      queue,
      mine.catch(() => {}),
    );
    return mine;
  }
}

export function isDefaultBridge({ options }: Network): boolean {
  return options[DEFAULT_BRIDGE] === "true";
}

const poolsOf = ({ ipam }: Network): string =>
  JSON.stringify(ipam.pools.map((pool) => [poolIdOf(pool), pool.subnet, pool.gateway, pool.range]));

/** Subnets that nobody asked for are given in turn, by family. */
function chosenSubnets(asked: Network, { ipam }: Network): Cursors {
  if (ipam.driver !== "default") return {};
  const chosen = ipam.pools.filter(
    ({ subnet, family }) =>
      !asked.ipam.pools.some((pool) => pool.family === family && pool.subnet === subnet),
  );
  return Object.fromEntries(
    chosen.flatMap(({ subnet, family }) => {
      const block = parsePrefix(subnet)?.subnet;
      return block === undefined ? [] : [[`subnets/${family}`, formatSubnet(block)] as const];
    }),
  );
}

function refuseUsed({ name, id }: Network, members: readonly EndpointRecord[]): void {
  if (members.length === 0) return;
  const who = members.map(
    ({ containerId, containerName }) =>
      `name:"${containerName.replace(/^\//, "")}" id:"${containerId.slice(0, 12)}"`,
  );
  throw new Fault(
    "denied",
    `error while removing network: network ${name} id ${id} has active endpoints (${who.join(", ")})`,
  );
}
