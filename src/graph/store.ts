import { z } from "zod";
import { Fault, sentenceOf } from "#errors";
import type { GraphDB } from "#graphdb";
import { Descriptor, type Digest, ImageConfig, parseReference, type Reference, sha256 } from "#oci";
import type { LayerId } from "./driver.ts";
import type { Collector } from "./gc.ts";
import type { LayerTable } from "./layer-table.ts";
import type { Leases } from "./leases.ts";
import { removeImage } from "./remove.ts";
import { Repositories } from "./repositories.ts";
import type { Image, Images, NewImage, RemovedImage } from "./types.ts";

const CONFIG_LIMIT = 8 * 1024 * 1024;
/** What is written down of an image's last use is no older than this. Milliseconds. */
const USE_GRAIN = 3600 * 1000;
const REASON_LIMIT = 300;
/** How many names are kept taken apart: every list and every inspection looks up the same few. */
const REFERENCES = 256;
const HEX_PREFIX = /^(?:sha256:)?([0-9a-f]{1,64})$/;

/** `config` is the configuration's exact text: its digest is the image's id. */
const ImageRecord = z.object({ config: z.string(), manifest: Descriptor.optional() });

interface Stored {
  readonly id: Digest;
  readonly top: LayerId | null;
  readonly created: number;
  readonly last_used: number;
  readonly record: string;
}

export interface ImageNeeds {
  readonly database: GraphDB;
  readonly layers: LayerTable;
  readonly leases: Leases<LayerId>;
  readonly blobs: Pick<Leases<Digest>, "release">;
  readonly collector: Pick<Collector, "collect" | "dropManifests">;
}

export type RemoveOptions = Parameters<Images["remove"]>[1];

/** The images of this host. Its rows have no other writer. */
export class ImageStore implements Images {
  readonly #needs: ImageNeeds;
  readonly repositories: Repositories;
  /** Everything, as it is in the database; undefined after a change. */
  #known: ReadonlyMap<Digest, Image> | undefined;
  /** Rows that cannot be read, with the reason: no images, until somebody mends them. */
  readonly damaged = new Map<Digest, string>();
  readonly #references = new Map<string, Reference>();
  /** Uses since the daemon's start. */
  readonly #used = new Map<Digest, number>();

  constructor(needs: ImageNeeds) {
    this.#needs = needs;
    this.repositories = new Repositories(needs.database);
  }

  list(): readonly Image[] {
    return [...this.#all().values()];
  }

  get(id: Digest): Image | undefined {
    return this.#all().get(id);
  }

  find(text: string): Image | undefined {
    const exact = this.get(text as Digest) ?? this.get(`sha256:${text}` as Digest);
    return exact ?? this.#findByName(text) ?? this.#findByPrefix(text);
  }

  /** The exact bytes whose digest is the image's id. Throws `not_found`. */
  configuration(id: Digest): Uint8Array {
    const stored = this.#row(id);
    if (stored === undefined) throw new Fault("not_found", `No such image: ${id}`);
    return new TextEncoder().encode(ImageRecord.parse(JSON.parse(stored.record)).config);
  }

  /** The image that this one was built or committed from. */
  parentOf(id: Digest): Digest | undefined {
    return this.#needs.database.edges.child("image-parent", id, "") as Digest | undefined;
  }

  namesOf(id: Digest): readonly Reference[] {
    return this.repositories.of(id);
  }

  childrenOf(id: Digest): readonly Digest[] {
    return this.#needs.database.edges.to("image-parent", id).map(({ parent }) => parent as Digest);
  }

  register(image: NewImage): Image {
    const id = sha256(image.config);
    const config = decodeConfig(image.config);
    const { database, layers, leases, blobs } = this.#needs;
    if (image.top !== undefined && layers.find(image.top) === undefined)
      throw new Fault("internal", `Cannot register image ${id}: its layer ${image.top} is not in the graph`);
    database.transaction(() => {
      const record = JSON.stringify({ config, manifest: image.manifest ?? this.get(id)?.manifest });
      database.sql
        .query(
          "INSERT INTO image (id, top, created, record) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record, top = excluded.top",
        )
        .run(id, image.top ?? null, Date.now(), record);
      if (image.tag !== undefined) this.repositories.set(image.tag, id);
      if (image.digest !== undefined) this.repositories.set(image.digest, id);
      if (image.parent !== undefined)
        database.edges.move("image-parent", { parent: id, name: "", child: image.parent });
    });
    this.#known = undefined;
    leases.release(layers.chain(image.top).map((row) => row.id));
    if (image.manifest !== undefined) blobs.release([image.manifest.digest]);
    const registered = this.get(id);
    if (registered === undefined)
      throw new Fault("internal", `Cannot register image ${id}: it was not stored`);
    return registered;
  }

  tag(id: Digest, reference: Reference): void {
    const { database } = this.#needs;
    if (this.get(id) === undefined) throw new Fault("not_found", `No such image: ${id}`);
    database.transaction(() => this.repositories.set(reference, id));
    this.#known = undefined;
  }

  usedAt(id: Digest): number {
    const stored = this.#row(id);
    return Math.max(stored?.created ?? 0, stored?.last_used ?? 0, this.#used.get(id) ?? 0);
  }

  /** Seldom written down, and never waited for: a crash may make it an hour older than it is. */
  touch(id: Digest): void {
    const now = Date.now();
    const stored = this.#row(id);
    if (stored === undefined) return;
    this.#used.set(id, now);
    if (now - stored.last_used < USE_GRAIN) return;
    const { database } = this.#needs;
    database.transaction(
      () => database.sql.query("UPDATE image SET last_used = ? WHERE id = ?").run(now, id),
      { durable: false },
    );
  }

  async remove(text: string, options: RemoveOptions): Promise<RemovedImage> {
    const { database, collector } = this.#needs;
    const manifests = new Map(this.list().map(({ id, manifest }) => [id, manifest?.digest]));
    let removed: RemovedImage;
    try {
      removed = database.transaction(() => removeImage(this, text, options));
    } finally {
      this.#known = undefined;
    }
    if (removed.deleted.length === 0) return removed;
    const layers = await collector.collect();
    await collector.dropManifests(removed.deleted.flatMap((id) => manifests.get(id) ?? []));
    return { ...removed, deleted: [...removed.deleted, ...layers.map((layer) => layer as string as Digest)] };
  }

  /** Only within the transaction of `remove`. */
  drop(id: Digest): void {
    const { database } = this.#needs;
    database.edges.unlink("image-parent", id, "");
    database.sql.query("DELETE FROM image WHERE id = ?").run(id);
    this.#used.delete(id);
    this.#known = undefined;
  }

  /** What is written down of an image, also when it cannot be read. */
  recordOf(id: Digest): string | undefined {
    return this.#row(id)?.record;
  }

  /** Forgets a row that cannot be read, and its names. */
  forgetDamaged(id: Digest): void {
    this.#needs.database.transaction(() => {
      for (const name of this.repositories.of(id)) this.repositories.remove(name);
      this.drop(id);
    });
  }

  /** From here on the image has no manifest of its own: it is composed when it is wanted. */
  forgetManifest(id: Digest): void {
    this.#needs.database.transaction(() =>
      this.#needs.database.sql
        .query("UPDATE image SET record = json_remove(record, '$.manifest') WHERE id = ?")
        .run(id),
    );
    this.#known = undefined;
  }

  #findByName(text: string): Image | undefined {
    try {
      const id = this.repositories.find(this.#reference(text));
      return id === undefined ? undefined : this.get(id);
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.kind === "invalid") return undefined;
      throw thrown;
    }
  }

  #reference(text: string): Reference {
    const known = this.#references.get(text);
    if (known !== undefined) return known;
    const reference = parseReference(text);
    if (this.#references.size >= REFERENCES) this.#references.clear();
    this.#references.set(text, reference);
    return reference;
  }

  #findByPrefix(text: string): Image | undefined {
    const prefix = HEX_PREFIX.exec(text)?.[1];
    if (prefix === undefined) return undefined;
    const matches = [...this.#all().values()].filter(({ id }) => id.startsWith(`sha256:${prefix}`));
    if (matches.length > 1)
      throw new Fault("invalid", `multiple IDs found with provided prefix: ${prefix}: give more of it`);
    return matches[0];
  }

  #row(id: Digest): Stored | undefined {
    return (
      this.#needs.database.sql.query<Stored, [string]>("SELECT * FROM image WHERE id = ?").get(id) ??
      undefined
    );
  }

  #all(): ReadonlyMap<Digest, Image> {
    if (this.#known !== undefined) return this.#known;
    const names = this.repositories.all();
    const rows = this.#needs.database.sql
      .query<Stored, []>("SELECT * FROM image ORDER BY created DESC")
      .all();
    this.damaged.clear();
    this.#known = new Map(
      rows.flatMap((row) => {
        const image = this.#readable(row, names.get(row.id) ?? []);
        return image === undefined ? [] : [[row.id, image] as const];
      }),
    );
    return this.#known;
  }

  #readable(row: Stored, names: readonly Reference[]): Image | undefined {
    try {
      return this.#toImage(row, names);
    } catch (thrown) {
      this.damaged.set(row.id, sentenceOf(thrown).slice(0, REASON_LIMIT));
      return undefined;
    }
  }

  #toImage({ id, top, created, record }: Stored, names: readonly Reference[]): Image {
    const { config, manifest } = ImageRecord.parse(JSON.parse(record));
    if (sha256(config) !== id) throw new Fault("internal", "its configuration is not what its id says");
    const layers = this.#needs.layers.chain(top ?? undefined);
    return {
      id,
      config: ImageConfig.parse(JSON.parse(config)),
      tags: names.filter(({ digest }) => digest === undefined),
      digests: names.filter(({ digest }) => digest !== undefined),
      size: layers.reduce((sum, layer) => sum + layer.size, 0),
      arrivedAt: created,
      ...(top === null ? {} : { top }),
      ...(manifest === undefined ? {} : { manifest }),
    };
  }
}

function decodeConfig(bytes: Uint8Array): string {
  if (bytes.length > CONFIG_LIMIT)
    throw new Fault("invalid", `Cannot register an image: its configuration exceeds ${CONFIG_LIMIT} bytes`);
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    ImageConfig.parse(JSON.parse(text));
    return text;
  } catch (thrown) {
    throw new Fault("invalid", "Cannot register an image: its configuration is malformed", { cause: thrown });
  }
}
