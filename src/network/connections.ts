import { Fault, sentenceOf } from "#errors";
import type { Endpoint, EndpointRecord, EndpointRequest, NamespaceHolder, Network } from "./driver.ts";
import { exitsOf, portEndpointOf, sysctlsOf } from "./endpoint.ts";
import { changeOwnHosts, refreshResolvConf } from "./files.ts";
import { LiveNamespace } from "./live.ts";
import { deleteChildLink } from "./netlink-steps.ts";
import { addressesOf, fileFacts, type RoomParts } from "./parts.ts";
import { type Claimed, linkLocalSteps, routeSteps, type Sandboxes, withJoined } from "./sandboxes.ts";
import type { SandboxRecord } from "./store.ts";

/** New links of a namespace whose first network has no IPv6 would be born without it. */
const IPV6_ON = { "net.ipv6.conf.default.disable_ipv6": "0" };

/** Puts running containers on networks, and takes them off. One change of a container after another: its caller holds it. */
export class Connections {
  readonly #parts: RoomParts;
  readonly #sandboxes: Sandboxes;

  constructor(parts: RoomParts, sandboxes: Sandboxes) {
    this.#parts = parts;
    this.#sandboxes = sandboxes;
  }

  async connect(containerId: string, request: EndpointRequest, holder: NamespaceHolder): Promise<Endpoint> {
    const { store, definitions } = this.#parts;
    const sandbox = this.#requireOwn(containerId);
    const network = definitions.require(request.network);
    const before = store.ofContainer(containerId);
    if (before.some(({ networkId }) => networkId === network.id))
      throw new Fault(
        "denied",
        `endpoint with name ${sandbox.containerName.replace(/^\//, "")} already exists in network ${network.name}`,
      );
    using live = LiveNamespace.open(holder, this.#parts.netlink);
    await using undo = new AsyncDisposableStack();
    const taken = before.map(({ endpoint }) => endpoint.interfaceName);
    const claimed = await this.#sandboxes.claim({ sandbox, request, taken }, undo);
    const record = await this.#link({ claimed, live, sandbox, before }, undo);
    this.#moveRoutes(live, { before, after: [...before, record], undo });
    await this.#movePorts({ before, after: [...before, record] }, undo);
    await this.#tell({ sandbox, record, holder }, undo);
    undo.move();
    return record.endpoint;
  }

  #requireOwn(containerId: string): SandboxRecord {
    const sandbox = this.#parts.store.sandbox(containerId);
    if (sandbox?.namespace === "new") return sandbox;
    throw new Fault(
      sandbox === undefined ? "conflict" : "denied",
      sandbox === undefined
        ? `container ${containerId} is not running`
        : "container sharing network namespace with another container or host cannot be connected to any other network",
    );
  }

  /** The link with its addresses in the container, on record before it is made. */
  async #link(
    job: {
      readonly claimed: Claimed;
      readonly live: LiveNamespace;
      readonly sandbox: SandboxRecord;
      readonly before: readonly EndpointRecord[];
    },
    undo: AsyncDisposableStack,
  ): Promise<EndpointRecord> {
    const { live, sandbox, before, claimed } = job;
    const { network, driver } = claimed;
    const carrier = portEndpointOf([...before, claimed.record]);
    const ports = carrier === claimed.record && driver.carriesPorts ? sandbox.ports : [];
    const record = { ...claimed.record, ports };
    this.#parts.store.put([record], { cursors: claimed.cursors });
    undo.defer(() => this.#parts.store.removeEndpoint(record));
    undo.defer(() => this.#sandboxes.close(network, record));
    const joined = await driver.join(network, record);
    const whole = withJoined(record, joined);
    const { interfaceName, ipv6Address } = whole.endpoint;
    undo.defer(() => this.#quietly(() => live.perform(deleteChildLink(interfaceName))));
    if (ipv6Address !== "") live.set(IPV6_ON);
    for (const step of [...joined.links, ...linkLocalSteps({ ...claimed, record: whole })])
      live.perform(step);
    live.set({ ...joined.sysctls, ...sysctlsOf(whole.endpoint) });
    this.#parts.store.put([whole]);
    return whole;
  }

  /** The default route goes where the endpoints say now; where none has one it goes with its link. */
  #moveRoutes(
    live: LiveNamespace,
    change: {
      readonly before: readonly EndpointRecord[];
      readonly after: readonly EndpointRecord[];
      readonly undo: AsyncDisposableStack;
    },
  ): void {
    const was = exitsOf(change.before);
    const is = exitsOf(change.after);
    const isV4Moved = is.v4?.networkId !== was.v4?.networkId;
    const isV6Moved = is.v6?.networkId !== was.v6?.networkId;
    const moved = { ...(isV4Moved && is.v4 && { v4: is.v4 }), ...(isV6Moved && is.v6 && { v6: is.v6 }) };
    const back = { ...(isV4Moved && was.v4 && { v4: was.v4 }), ...(isV6Moved && was.v6 && { v6: was.v6 }) };
    change.undo.defer(() =>
      this.#quietly(() => {
        for (const step of routeSteps(back)) live.perform(step);
      }),
    );
    for (const step of routeSteps(moved)) live.perform(step);
  }

  /** Published ports go with the default route: first away from where they were, then to where they shall be. */
  async #movePorts(
    change: { readonly before: readonly EndpointRecord[]; readonly after: readonly EndpointRecord[] },
    undo: AsyncDisposableStack,
  ): Promise<void> {
    const { store, definitions } = this.#parts;
    const from = change.before.find(({ ports }) => ports.length > 0);
    const to = portEndpointOf(change.after);
    if (from !== undefined && from.networkId !== to?.networkId) {
      const network = definitions.require(from.networkId);
      const driver = definitions.driverOf(network);
      undo.defer(() => driver.open(network, from));
      await driver.shut(network, from);
      if (change.after.some(({ networkId }) => networkId === from.networkId)) {
        undo.defer(() => store.put([from]));
        store.put([{ ...from, ports: [] }]);
      }
    }
    if (to !== undefined && to.networkId !== from?.networkId) await this.#openPorts(to, undo);
  }

  async #openPorts(to: EndpointRecord, undo: AsyncDisposableStack): Promise<void> {
    const { store, definitions } = this.#parts;
    const network = definitions.require(to.networkId);
    const driver = definitions.driverOf(network);
    const ports = store.sandbox(to.containerId)?.ports ?? [];
    if (!driver.carriesPorts || ports.length === 0) return;
    const carrying = { ...to, ports };
    undo.defer(() => driver.shut(network, carrying));
    await driver.open(network, carrying);
    store.put([carrying]);
    undo.defer(() => store.put([{ ...to, ports: [] }]));
  }

  /** The container's own files, and the names it is found by. */
  async #tell(
    job: {
      readonly sandbox: SandboxRecord;
      readonly record: EndpointRecord;
      readonly holder: NamespaceHolder;
    },
    undo: AsyncDisposableStack,
  ): Promise<void> {
    const { sandbox, record, holder } = job;
    const { names } = this.#parts;
    const addresses = addressesOf(record);
    undo.defer(() => this.#quietly(() => changeOwnHosts(sandbox, { remove: addresses })));
    changeOwnHosts(sandbox, { add: addresses });
    undo.defer(() => {
      names.withdraw(record);
      names.refresh(sandbox.containerId);
    });
    if (names.isServed(sandbox.containerId)) names.publish(sandbox.containerId);
    else await names.enter(sandbox, holder);
    this.#refreshResolvConf(sandbox);
  }

  /** What its servers are, and whether it asks us. */
  #refreshResolvConf(sandbox: SandboxRecord): void {
    this.#quietly(() =>
      refreshResolvConf(sandbox, fileFacts(this.#parts, sandbox.containerId, sandbox.namespace)),
    );
  }

  async disconnect(containerId: string, text: string, holder?: NamespaceHolder): Promise<Endpoint> {
    const { store, definitions, netlink } = this.#parts;
    const network = definitions.require(text);
    const before = store.ofContainer(containerId);
    const record = before.find(({ networkId }) => networkId === network.id);
    if (record === undefined)
      throw new Fault("conflict", `container ${containerId} is not connected to network ${network.name}`);
    using live = holder === undefined ? undefined : LiveNamespace.open(holder, netlink);
    const after = before.filter((other) => other !== record);
    await using undo = new AsyncDisposableStack();
    if (live !== undefined) this.#moveRoutes(live, { before, after, undo });
    await this.#movePorts({ before, after }, undo);
    if (live !== undefined && record.endpoint.interfaceName !== "")
      live.perform(deleteChildLink(record.endpoint.interfaceName));
    undo.move();
    await this.#leave(network, record);
    return record.endpoint;
  }

  /** From here on there is no way back: the link has gone. */
  async #leave(network: Network, record: EndpointRecord): Promise<void> {
    const { store, names, definitions } = this.#parts;
    names.withdraw(record);
    await this.#sandboxes.close(network, { ...record, ports: [] });
    await this.#sandboxes.free(record);
    store.removeEndpoint(record);
    const sandbox = store.sandbox(record.containerId);
    if (sandbox !== undefined) {
      this.#quietly(() => changeOwnHosts(sandbox, { remove: addressesOf(record) }));
      names.refresh(record.containerId);
      // Off its last network with names it asks others itself: after a start of the daemon nobody answers it here.
      this.#refreshResolvConf(sandbox);
    }
    await definitions.left(network.id);
  }

  #quietly(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#parts.log("warn", sentenceOf(error));
    }
  }
}
