import { Fault } from "#errors";
import type { GraphDB } from "#graphdb";
import type { EndpointRecord, Network, PublishedPort } from "./driver.ts";

/** Networks hang under this parent in the graph. */
const ROOT = "/";

/** What a container that runs shares between its endpoints: the row of table `sandbox`. */
export interface SandboxRecord {
  readonly containerId: string;
  readonly containerName: string;
  readonly directory: string;
  readonly hostname: string;
  readonly domainname: string;
  readonly namespace: "new" | "host";
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly extraHosts: readonly string[];
  /** Its for as long as it runs, also while no endpoint carries them. */
  readonly ports: readonly PublishedPort[];
}

/** A network as it is written down; pending while it is made or removed, so that a killed daemon's next can tidy up. */
type NetworkRow = Network & { readonly isPending?: boolean };

/** What was given last of a pool. */
export type Cursors = Readonly<Record<string, string>>;

/** The kernel tells the same after a crash, and a power cut ends containers too. */
const NOT_DURABLE = { durable: false };

/**
 * The one writer of the tables `network`, `endpoint`, `sandbox` and `pool_cursor`. The first three are kept in memory
 * too: reads cost no query.
 */
export class NetworkStore {
  readonly #database: GraphDB;
  readonly #networks = new Map<string, NetworkRow>();
  readonly #sandboxes = new Map<string, SandboxRecord>();
  readonly #endpoints = new Map<string, readonly EndpointRecord[]>();

  constructor(database: GraphDB) {
    this.#database = database;
    for (const network of this.#read<NetworkRow>("network")) this.#networks.set(network.id, network);
    for (const sandbox of this.#read<SandboxRecord>("sandbox"))
      this.#sandboxes.set(sandbox.containerId, sandbox);
    for (const record of this.#read<EndpointRecord>("endpoint")) this.#remember(record);
  }

  #read<Row>(table: "network" | "sandbox" | "endpoint"): Row[] {
    const rows = this.#database.sql.query<{ record: string }, []>(`SELECT record FROM ${table}`).all();
    return rows.flatMap(({ record }) => readable<Row>(record));
  }

  #remember(record: EndpointRecord): void {
    const others = this.ofContainer(record.containerId).filter(
      ({ networkId }) => networkId !== record.networkId,
    );
    const all = [...others, record].sort((a, b) => byLinkName(a.endpoint, b.endpoint));
    this.#endpoints.set(record.containerId, all);
  }

  /** Those that are on the host. */
  networks(): readonly Network[] {
    return this.all().filter(({ isConfigOnly }) => isConfigOnly !== true);
  }

  /** With those that are only options for others. */
  all(): readonly Network[] {
    return [...this.#networks.values()]
      .filter(({ isPending }) => isPending !== true)
      .sort((a, b) => a.created - b.created || (a.name < b.name ? -1 : 1));
  }

  /** Those whose making or removal was cut short. */
  pending(): readonly Network[] {
    return [...this.#networks.values()].filter(({ isPending }) => isPending === true);
  }

  get(id: string): Network | undefined {
    const network = this.#networks.get(id);
    return network?.isPending === true ? undefined : network;
  }

  named(name: string): Network | undefined {
    const id = this.#database.edges.child("network-name", ROOT, name);
    return id === undefined ? undefined : this.get(id);
  }

  /** Id beats name beats prefix: a network may have another's id for its name. Throws `invalid` when a prefix fits several. */
  find(text: string): Network | undefined {
    const found = this.get(text) ?? this.named(text);
    if (found !== undefined || text === "") return found;
    const fitting = this.all().filter(({ id }) => id.startsWith(text));
    if (fitting.length > 1)
      throw new Fault(
        "invalid",
        `network ${text} is ambiguous (${fitting.length} matches found on ID prefix)`,
      );
    return fitting[0];
  }

  /** Writes down a network that is about to be made. Throws `conflict` when the name is taken. */
  begin(network: Network): void {
    this.#database.transaction(() => {
      const edge = { parent: ROOT, name: network.name, child: network.id };
      if (!this.#database.edges.link("network-name", edge))
        throw new Fault("conflict", `network with name ${network.name} already exists`);
      this.#database.sql
        .query("INSERT INTO network (id, record) VALUES (?, ?)")
        .run(network.id, JSON.stringify({ ...network, isPending: true }));
    }, NOT_DURABLE);
    this.#networks.set(network.id, { ...network, isPending: true });
  }

  /** It is made: from now on it is there, also after a power cut. */
  commit(network: Network, cursors: Cursors = {}): void {
    this.#database.transaction(() => {
      this.#replace(network);
      this.#advance(cursors);
    });
    this.#networks.set(network.id, network);
  }

  /** It is about to be removed: nobody finds it any more. */
  doom(network: Network): void {
    this.#database.transaction(() => this.#replace({ ...network, isPending: true }), NOT_DURABLE);
    this.#networks.set(network.id, { ...network, isPending: true });
  }

  /** Replaces a network's record when it says something new. */
  update(network: Network): void {
    if (JSON.stringify(network) === JSON.stringify(this.#networks.get(network.id))) return;
    this.commit(network);
  }

  #replace(network: NetworkRow): void {
    this.#database.sql
      .query("UPDATE network SET record = ? WHERE id = ?")
      .run(JSON.stringify(network), network.id);
  }

  forget(id: string): void {
    this.#database.transaction(() => {
      this.#database.edges.unlinkChild("network-name", id);
      this.#database.sql.query("DELETE FROM network WHERE id = ?").run(id);
      this.#database.sql.query("DELETE FROM pool_cursor WHERE pool LIKE ? || '/%'").run(id);
    });
    this.#networks.delete(id);
  }

  sandbox(containerId: string): SandboxRecord | undefined {
    return this.#sandboxes.get(containerId);
  }

  containers(): readonly string[] {
    return [...new Set([...this.#sandboxes.keys(), ...this.#endpoints.keys()])];
  }

  ofContainer(containerId: string): readonly EndpointRecord[] {
    return this.#endpoints.get(containerId) ?? [];
  }

  endpoints(): readonly EndpointRecord[] {
    return [...this.#endpoints.values()].flat();
  }

  onNetwork(networkId: string): readonly EndpointRecord[] {
    return this.endpoints().filter((record) => record.networkId === networkId);
  }

  putSandbox(sandbox: SandboxRecord): void {
    this.#database.transaction(() => this.#writeSandbox(sandbox), NOT_DURABLE);
    this.#sandboxes.set(sandbox.containerId, sandbox);
  }

  #writeSandbox(sandbox: SandboxRecord): void {
    this.#database.sql
      .query("INSERT OR REPLACE INTO sandbox (container, record) VALUES (?, ?)")
      .run(sandbox.containerId, JSON.stringify(sandbox));
  }

  /**
   * Endpoints as they are now, what was given last for them, and whose they are. Throws `not_found` when a network
   * has gone meanwhile.
   */
  put(
    records: readonly EndpointRecord[],
    { cursors = {}, sandbox }: { readonly cursors?: Cursors; readonly sandbox?: SandboxRecord } = {},
  ): void {
    for (const { networkId, endpoint } of records)
      if (this.get(networkId) === undefined)
        throw new Fault("not_found", `network ${endpoint.networkName} not found`);
    this.#database.transaction(() => {
      if (sandbox !== undefined) this.#writeSandbox(sandbox);
      for (const record of records) this.#writeEndpoint(record);
      this.#advance(cursors);
    }, NOT_DURABLE);
    if (sandbox !== undefined) this.#sandboxes.set(sandbox.containerId, sandbox);
    for (const record of records) this.#remember(record);
  }

  #writeEndpoint(record: EndpointRecord): void {
    const { containerId, networkId, endpoint } = record;
    this.#database.sql
      .query(
        "INSERT INTO endpoint (container, network, address, record) VALUES (?, ?, ?, ?) ON CONFLICT (container, network) DO UPDATE SET address = excluded.address, record = excluded.record",
      )
      .run(containerId, networkId, endpoint.address || null, JSON.stringify(record));
  }

  removeEndpoint({ containerId, networkId }: EndpointRecord): void {
    this.#database.transaction(
      () =>
        this.#database.sql
          .query("DELETE FROM endpoint WHERE container = ? AND network = ?")
          .run(containerId, networkId),
      NOT_DURABLE,
    );
    const left = this.ofContainer(containerId).filter((record) => record.networkId !== networkId);
    if (left.length > 0) this.#endpoints.set(containerId, left);
    else this.#endpoints.delete(containerId);
  }

  removeContainer(containerId: string): void {
    if (!this.#endpoints.has(containerId) && !this.#sandboxes.has(containerId)) return;
    this.#database.transaction(() => {
      this.#database.sql.query("DELETE FROM endpoint WHERE container = ?").run(containerId);
      this.#database.sql.query("DELETE FROM sandbox WHERE container = ?").run(containerId);
    }, NOT_DURABLE);
    this.#endpoints.delete(containerId);
    this.#sandboxes.delete(containerId);
  }

  /** Empty when nothing of it has ever been given. */
  cursor(pool: string): string {
    const query = this.#database.sql.query<{ last: string }, [string]>(
      "SELECT last FROM pool_cursor WHERE pool = ?",
    );
    return query.get(pool)?.last ?? "";
  }

  #advance(cursors: Cursors): void {
    for (const [pool, last] of Object.entries(cursors))
      this.#database.sql
        .query("INSERT OR REPLACE INTO pool_cursor (pool, last) VALUES (?, ?)")
        .run(pool, last);
  }
}

/** eth2 before eth10. */
function byLinkName(a: { readonly interfaceName: string }, b: { readonly interfaceName: string }): number {
  return a.interfaceName.localeCompare(b.interfaceName, "en", { numeric: true });
}

/** A row that cannot be read counts for none until somebody mends it. */
function readable<Row>(record: string): Row[] {
  try {
    return [JSON.parse(record) as Row];
  } catch {
    return [];
  }
}
