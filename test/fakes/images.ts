import type {
  Image,
  Images,
  LayerArchive,
  LayerId,
  LayerSource,
  Layers,
  NewImage,
  RemovedImage,
} from "#graph";
import { type Digest, formatReference, ImageConfig, parseReference, type Reference, sha256 } from "#oci";

/** What image jobs need of the graph, in memory: layers are obtained by reading and checking their blobs. */
export class FakeGraph {
  readonly driver = {
    name: "fake",
    size: async (layer: LayerId) => this.layers.held.get(layer)?.length ?? 0,
    data: async (layer: LayerId) => ({ UpperDir: `/layers/${layer}` }),
  };
  readonly content = {
    blobs: new Map<string, Uint8Array>(),
    has: async (digest: Digest) => this.content.blobs.has(digest),
    put: async (bytes: Uint8Array, expected?: Digest) => {
      const digest = sha256(bytes);
      if (expected !== undefined && expected !== digest) throw new Error(`${expected} is ${digest}`);
      this.content.blobs.set(digest, bytes);
      return digest;
    },
  };
  readonly layers = new FakeLayers();
  readonly images = new FakeImages();
}

export class FakeLayers implements Layers {
  readonly held = new Map<LayerId, Uint8Array>();

  chain(parent: LayerId | undefined, diffId: Digest): LayerId {
    return (parent === undefined ? diffId : sha256(`${parent} ${diffId}`)) as string as LayerId;
  }

  has(layer: LayerId): boolean {
    return this.held.has(layer);
  }

  isWhole(top: LayerId | undefined): boolean {
    return top === undefined || this.has(top);
  }

  async blob(): Promise<undefined> {
    return undefined;
  }

  size(layer: LayerId): number | undefined {
    return this.held.get(layer)?.length;
  }

  async compress(): Promise<void> {}

  async make(archive: LayerArchive, { parent }: Parameters<Layers["make"]>[1]) {
    if (typeof archive === "function") throw new Error("The fake keeps no files");
    const parts: Uint8Array[] = [];
    for await (const part of archive) parts.push(part);
    const bytes = Buffer.concat(parts);
    const diffId = sha256(bytes);
    const id = this.chain(parent, diffId);
    this.held.set(id, bytes);
    this.leased.push(id);
    return { id, diffId, held: [id] };
  }

  /** What was obtained and not released again. */
  readonly leased: LayerId[] = [];

  hold(layers: Iterable<LayerId>): void {
    this.leased.push(...layers);
  }

  async release(layers: Iterable<LayerId>): Promise<void> {
    for (const layer of layers) {
      this.leased.splice(this.leased.indexOf(layer), 1);
      this.held.delete(layer);
    }
  }

  async obtain(
    { descriptor, diffId, parent, open }: LayerSource,
    { signal, report }: Parameters<Layers["obtain"]>[1],
  ): Promise<LayerId> {
    const id = this.chain(parent, diffId);
    this.leased.push(id);
    if (this.has(id)) {
      report("exists");
      return id;
    }
    const parts: Uint8Array[] = [];
    for await (const part of open(0, signal)) {
      parts.push(part);
      report("downloading", Buffer.concat(parts).length, descriptor.size);
    }
    report("verifying");
    const bytes = Buffer.concat(parts);
    if (sha256(bytes) !== descriptor.digest) throw new Error(`${descriptor.digest} does not match`);
    report("downloaded");
    report("extracting", bytes.length, bytes.length);
    this.held.set(id, bytes);
    report("done");
    return id;
  }
}

export class FakeImages implements Omit<Images, "configuration"> {
  readonly #parents = new Map<Digest, Digest>();
  readonly #images = new Map<Digest, Image>();

  list(): readonly Image[] {
    return [...this.#images.values()];
  }

  parentOf(id: Digest): Digest | undefined {
    return this.#parents.get(id);
  }

  get(id: Digest): Image | undefined {
    return this.#images.get(id);
  }

  namesOf(id: Digest): readonly Reference[] {
    const image = this.get(id);
    return [...(image?.tags ?? []), ...(image?.digests ?? [])];
  }

  find(text: string): Image | undefined {
    const byId = this.list().find(({ id }) => id === text || id.startsWith(`sha256:${text}`));
    if (byId !== undefined) return byId;
    const wanted = formatReference(parseReference(text));
    return this.list().find(({ tags, digests }) =>
      [...tags, ...digests].some((name) => formatReference(name) === wanted),
    );
  }

  register({ config, manifest, top, tag, digest, parent }: NewImage): Image {
    const id = sha256(config);
    const before = this.#images.get(id);
    const image: Image = {
      id,
      config: ImageConfig.parse(JSON.parse(new TextDecoder().decode(config))),
      ...(top !== undefined && { top }),
      ...(manifest !== undefined && { manifest }),
      tags: before?.tags ?? [],
      digests: including(before?.digests ?? [], digest),
      size: 0,
      arrivedAt: 0,
    };
    this.#images.set(id, image);
    if (parent !== undefined) this.#parents.set(id, parent);
    if (tag !== undefined) this.tag(id, tag);
    return this.#images.get(id) ?? image;
  }

  tag(id: Digest, reference: Reference): void {
    this.#untag(reference);
    const image = this.#images.get(id);
    if (image !== undefined) this.#images.set(id, { ...image, tags: including(image.tags, reference) });
  }

  #untag(reference: Reference): void {
    const gone = formatReference(reference);
    for (const image of this.list())
      this.#images.set(image.id, {
        ...image,
        tags: image.tags.filter((tag) => formatReference(tag) !== gone),
      });
  }

  /** Uses, by image. */
  readonly uses = new Map<Digest, number>();

  usedAt(id: Digest): number {
    return this.uses.get(id) ?? 0;
  }

  touch(id: Digest): void {
    this.uses.set(id, Date.now());
  }

  async remove(text: string): Promise<RemovedImage> {
    const image = this.find(text);
    if (image === undefined) throw new Error(`no image ${text}`);
    this.#images.delete(image.id);
    return { untagged: image.tags.map(formatReference), deleted: [image.id] };
  }
}

function including(references: readonly Reference[], added: Reference | undefined): readonly Reference[] {
  const others = references.filter(
    (one) => added === undefined || formatReference(one) !== formatReference(added),
  );
  return added === undefined ? others : [...others, added];
}
