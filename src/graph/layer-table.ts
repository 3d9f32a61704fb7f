import type { GraphDB } from "#graphdb";
import type { Digest } from "#oci";
import type { LayerId } from "./driver.ts";

export interface LayerRow {
  readonly id: LayerId;
  readonly parent: LayerId | undefined;
  readonly diffId: Digest;
  /** The compressed blob in the content store. */
  readonly blob: Digest | undefined;
  readonly mediaType: string | undefined;
  /** Bytes of file data when unpacked. */
  readonly size: number;
  /** The boot in which it was unpacked; undefined once its tree is known to have reached the disk. */
  readonly unsyncedBoot: string | undefined;
}

interface Stored {
  readonly chain_id: LayerId;
  readonly parent: LayerId | null;
  readonly diff_id: Digest;
  readonly blob: Digest | null;
  readonly media_type: string | null;
  readonly size: number;
  readonly unsynced_boot: string | null;
}

/** The rows of image layers: this is their one writer. */
export class LayerTable {
  readonly #database: GraphDB;
  readonly #find;
  readonly #insert;
  readonly #delete;
  readonly #all;
  readonly #blobUses;
  readonly #markSynced;
  readonly #forgetBlob;

  constructor(database: GraphDB) {
    const { sql } = database;
    this.#database = database;
    this.#find = sql.query<Stored, [string]>("SELECT * FROM layer WHERE chain_id = ?");
    this.#insert = sql.query<unknown, (string | number | null)[]>(
      "INSERT OR REPLACE INTO layer (chain_id, parent, diff_id, blob, media_type, size, unsynced_boot) VALUES (?, ?, ?, ?, ?, ?, ?)",
    );
    this.#delete = sql.query<unknown, [string]>("DELETE FROM layer WHERE chain_id = ?");
    this.#all = sql.query<Stored, []>("SELECT * FROM layer");
    this.#markSynced = sql.query<unknown, [string]>(
      "UPDATE layer SET unsynced_boot = NULL WHERE chain_id = ?",
    );
    this.#forgetBlob = sql.query<unknown, [string]>("UPDATE layer SET blob = NULL WHERE blob = ?");
    this.#blobUses = sql.query<{ uses: number }, [string]>(
      "SELECT count(*) AS uses FROM layer WHERE blob = ?",
    );
  }

  find(id: LayerId): LayerRow | undefined {
    const stored = this.#find.get(id);
    return stored === null ? undefined : toRow(stored);
  }

  all(): readonly LayerRow[] {
    return this.#all.all().map(toRow);
  }

  /** From the topmost down to the base. */
  chain(top: LayerId | undefined): readonly LayerRow[] {
    const rows: LayerRow[] = [];
    for (let id = top; id !== undefined; ) {
      const row = this.find(id);
      if (row === undefined) break;
      rows.push(row);
      id = row.parent;
    }
    return rows;
  }

  add(row: LayerRow, options: { readonly durable?: boolean } = {}): void {
    const { id, parent = null, diffId, blob = null, mediaType = null, size, unsyncedBoot = null } = row;
    this.#database.transaction(
      () => this.#insert.run(id, parent, diffId, blob, mediaType, size, unsyncedBoot),
      options,
    );
  }

  /** Base before what stands on it. */
  unsynced(): readonly LayerRow[] {
    const rows = this.all().filter(({ unsyncedBoot }) => unsyncedBoot !== undefined);
    const depths = new Map(rows.map(({ id }) => [id, this.chain(id).length]));
    return rows.sort((a, b) => (depths.get(a.id) ?? 0) - (depths.get(b.id) ?? 0));
  }

  /** Their trees have reached the disk. */
  markSynced(ids: Iterable<LayerId>): void {
    this.#database.transaction(() => {
      for (const id of ids) this.#markSynced.run(id);
    });
  }

  /** Children before parents, whatever the order given. */
  remove(ids: ReadonlySet<LayerId>): void {
    const isBelow = new Map(this.all().map((row) => [row.id, row.parent]));
    const depth = (id: LayerId | undefined): number => (id === undefined ? 0 : 1 + depth(isBelow.get(id)));
    const ordered = [...ids].sort((a, b) => depth(b) - depth(a));
    this.#database.transaction(() => {
      for (const id of ordered) this.#delete.run(id);
    });
  }

  /** It is not kept any more: whoever obtains one of its layers brings it again. */
  forgetBlob(blob: Digest): void {
    this.#database.transaction(() => this.#forgetBlob.run(blob));
  }

  isBlobUsed(blob: Digest): boolean {
    return (this.#blobUses.get(blob)?.uses ?? 0) > 0;
  }
}

function toRow(stored: Stored): LayerRow {
  return {
    id: stored.chain_id,
    parent: stored.parent ?? undefined,
    diffId: stored.diff_id,
    blob: stored.blob ?? undefined,
    mediaType: stored.media_type ?? undefined,
    size: stored.size,
    unsyncedBoot: stored.unsynced_boot ?? undefined,
  };
}
