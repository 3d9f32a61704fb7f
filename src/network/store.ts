import { Fault } from "#errors";
import type { GraphDB } from "#graphdb";
import type { EndpointRecord, Network } from "./driver.ts";

/** Networks hang under this parent in the graph. */
const ROOT = "/";

/** The one writer of the tables `network` and `endpoint`. All of it is kept in memory too: reads cost no query. */
export class NetworkStore {
  readonly #database: GraphDB;
  readonly #networks = new Map<string, Network>();
  readonly #endpoints = new Map<string, readonly EndpointRecord[]>();

  constructor(database: GraphDB) {
    this.#database = database;
    const networks = database.sql.query<{ record: string }, []>("SELECT record FROM network");
    for (const { record } of networks.all()) {
      const network: Network = JSON.parse(record);
      this.#networks.set(network.id, network);
    }
    const endpoints = database.sql.query<{ record: string }, []>("SELECT record FROM endpoint");
    for (const { record } of endpoints.all()) this.#remember(JSON.parse(record));
  }

  #remember(record: EndpointRecord): void {
    this.#endpoints.set(record.containerId, [...this.ofContainer(record.containerId), record]);
  }

  networks(): readonly Network[] {
    return [...this.#networks.values()].sort((a, b) => a.created - b.created || (a.name < b.name ? -1 : 1));
  }

  named(name: string): Network | undefined {
    const id = this.#database.edges.child("network-name", ROOT, name);
    return id === undefined ? undefined : this.#networks.get(id);
  }

  /** Name beats id beats prefix. Throws `invalid` when a prefix fits several. */
  find(text: string): Network | undefined {
    const found = this.named(text) ?? this.#networks.get(text);
    if (found !== undefined || text === "") return found;
    const fitting = this.networks().filter(({ id }) => id.startsWith(text));
    if (fitting.length > 1)
      throw new Fault("invalid", `Cannot tell which network ${text} is: multiple IDs found with that prefix`);
    return fitting[0];
  }

  /** Throws `conflict` when the name is taken. */
  create(network: Network): void {
    this.#database.transaction(() => {
      const edge = { parent: ROOT, name: network.name, child: network.id };
      if (!this.#database.edges.link("network-name", edge))
        throw new Fault(
          "conflict",
          `Cannot create the network ${network.name}: network with name ${network.name} already exists`,
        );
      this.#database.sql
        .query("INSERT INTO network (id, record) VALUES (?, ?)")
        .run(network.id, JSON.stringify(network));
    });
    this.#networks.set(network.id, network);
  }

  /** Replaces a network's record when it says something new. */
  update(network: Network): void {
    const record = JSON.stringify(network);
    if (record === JSON.stringify(this.#networks.get(network.id))) return;
    this.#database.transaction(() =>
      this.#database.sql.query("UPDATE network SET record = ? WHERE id = ?").run(record, network.id),
    );
    this.#networks.set(network.id, network);
  }

  ofContainer(containerId: string): readonly EndpointRecord[] {
    return this.#endpoints.get(containerId) ?? [];
  }

  endpoints(): readonly EndpointRecord[] {
    return [...this.#endpoints.values()].flat();
  }

  containers(): readonly string[] {
    return [...this.#endpoints.keys()];
  }

  /** A power cut ends the container too, so the row need not outlive one. */
  add(record: EndpointRecord): void {
    const { containerId, networkId, endpoint } = record;
    this.#database.transaction(
      () =>
        this.#database.sql
          .query("INSERT INTO endpoint (container, network, address, record) VALUES (?, ?, ?, ?)")
          .run(containerId, networkId, endpoint.address || null, JSON.stringify(record)),
      { durable: false },
    );
    this.#remember(record);
  }

  removeContainer(containerId: string): void {
    if (!this.#endpoints.has(containerId)) return;
    this.#database.transaction(
      () => this.#database.sql.query("DELETE FROM endpoint WHERE container = ?").run(containerId),
      { durable: false },
    );
    this.#endpoints.delete(containerId);
  }
}
