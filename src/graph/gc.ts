import type { GraphDB } from "#graphdb";
import type { Digest } from "#oci";
import type { Content } from "./content.ts";
import type { GraphDriver, LayerId } from "./driver.ts";
import type { LayerTable } from "./layer-table.ts";
import type { Leases } from "./leases.ts";
import type { StoredFile } from "./types.ts";

export interface CollectorNeeds {
  readonly database: GraphDB;
  readonly driver: GraphDriver;
  readonly content: Content;
  readonly table: LayerTable;
  readonly leases: Leases<LayerId>;
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
    // What cannot be removed now is a stranger, and goes at the next start.
    for (const { id } of gone) await driver.remove(id).catch(() => {});
    for (const { blob } of gone)
      if (blob !== undefined && !table.isBlobUsed(blob) && !content.leases.isHeld(blob))
        await content.remove(blob);
    return gone.map(({ id }) => id);
  }

  /** Manifests of images that went, at once: another image may have come by the same one. */
  async dropManifests(digests: Iterable<Digest>): Promise<void> {
    const { content } = this.#needs;
    for (const digest of digests)
      if (!this.#manifests().has(digest) && !content.leases.isHeld(digest)) await content.remove(digest);
  }

  /** As Graph.sweep. */
  async sweep(keep: ReadonlySet<LayerId>): Promise<readonly string[]> {
    const { driver, content } = this.#needs;
    const collected = await this.collect();
    const rubbish = await this.strangers(keep);
    for (const layer of rubbish) await driver.remove(layer);
    return [...collected, ...rubbish, ...(await content.sweep(this.#blobs()))];
  }

  /** As Graph.garbage. */
  async garbage(): Promise<readonly StoredFile[]> {
    const { content } = this.#needs;
    const files = await content.files();
    const known = this.#blobs();
    return files.filter((file) => !content.isInUse(file) && !isKnown(file, known));
  }

  /** As Graph.discard. */
  async discard(wanted: readonly StoredFile[]): Promise<readonly StoredFile[]> {
    const { content } = this.#needs;
    const paths = new Set(wanted.map(({ path }) => path));
    const freed: StoredFile[] = [];
    for (const file of await this.garbage()) {
      // A pull may have come by it, and ended, while the one before was taken away.
      if (!paths.has(file.path) || content.isInUse(file) || isKnown(file, this.#blobs())) continue;
      await content.discard(file.path);
      freed.push(file);
    }
    return freed;
  }

  /** As Graph.strangers. */
  async strangers(keep: ReadonlySet<LayerId>): Promise<readonly LayerId[]> {
    const present = await this.#needs.driver.list();
    const held = this.#held();
    return present.filter((layer) => !held.has(layer) && !keep.has(layer));
  }

  #blobs(): ReadonlySet<string> {
    return new Set<string>([
      ...this.#needs.table.all().flatMap(({ blob }) => blob ?? []),
      ...this.#manifests(),
    ]);
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

  /** A row that cannot be read speaks of none. */
  #manifests(): ReadonlySet<Digest> {
    const rows = this.#needs.database.sql
      .query<{ digest: Digest | null }, []>(
        "SELECT CASE WHEN json_valid(record) THEN json_extract(record, '$.manifest.digest') END AS digest FROM image",
      )
      .all();
    return new Set(rows.flatMap(({ digest }) => digest ?? []));
  }
}

const isKnown = ({ kind, digest }: StoredFile, known: ReadonlySet<string>): boolean =>
  kind === "blob" && digest !== undefined && known.has(digest);
