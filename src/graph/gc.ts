import type { GraphDB } from "#graphdb";
import type { Digest } from "#oci";
import type { Content } from "./content.ts";
import type { GraphDriver, LayerId } from "./driver.ts";
import type { LayerTable } from "./layer-table.ts";
import type { Leases } from "./leases.ts";

export interface CollectorNeeds {
  readonly database: GraphDB;
  readonly driver: GraphDriver;
  readonly content: Content;
  readonly table: LayerTable;
  readonly leases: Leases;
}

/** Takes away what nothing points at. */
export class Collector {
  readonly #needs: CollectorNeeds;
  /** Resolves when nothing is being taken away: a layer whose row just went may only then be made again. */
  settled: Promise<void> = Promise.resolve();

  constructor(needs: CollectorNeeds) {
    this.#needs = needs;
  }

  /** Image layers that no image holds and no pull waits for, with their blobs: rows first, then what they spoke of. */
  async collect(): Promise<readonly LayerId[]> {
    const collecting = this.settled.then(() => this.#collect());
    this.settled = collecting.then(
      () => {},
      () => {},
    );
    return collecting;
  }

  async #collect(): Promise<readonly LayerId[]> {
    const { table, driver, content } = this.#needs;
    const held = this.#held();
    const gone = table.all().filter(({ id }) => !held.has(id));
    table.remove(new Set(gone.map(({ id }) => id)));
    for (const { id } of gone) await driver.remove(id);
    for (const { blob } of gone)
      if (blob !== undefined && !table.isBlobUsed(blob)) await content.remove(blob);
    return gone.map(({ id }) => id);
  }

  /** As Graph.sweep. */
  async sweep(keep: ReadonlySet<LayerId>): Promise<readonly string[]> {
    const { driver, content, table } = this.#needs;
    const collected = await this.collect();
    const held = this.#held();
    const rubbish = (await driver.list()).filter((layer) => !held.has(layer) && !keep.has(layer));
    for (const layer of rubbish) await driver.remove(layer);
    const blobs = new Set<string>(table.all().flatMap(({ blob }) => blob ?? []));
    for (const manifest of this.#manifests()) blobs.add(manifest);
    return [...collected, ...rubbish, ...(await content.sweep(blobs))];
  }

  #held(): ReadonlySet<LayerId> {
    const { database, table, leases } = this.#needs;
    const tops = database.sql
      .query<{ top: LayerId }, []>("SELECT top FROM image WHERE top IS NOT NULL")
      .all();
    const held = new Set<LayerId>();
    for (const top of [...tops.map((row) => row.top), ...leases.held()])
      for (let id: LayerId | undefined = top; id !== undefined && !held.has(id); id = table.find(id)?.parent)
        held.add(id);
    return held;
  }

  #manifests(): readonly Digest[] {
    const { sql } = this.#needs.database;
    return sql
      .query<{ digest: Digest }, []>(
        "SELECT json_extract(record, '$.manifest.digest') AS digest FROM image WHERE digest IS NOT NULL",
      )
      .all()
      .map((row) => row.digest);
  }
}
