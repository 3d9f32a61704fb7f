import type { Graph, Image, LayerId } from "#graph";
import { type Digest, familiarReference } from "#oci";
import { layersOf } from "../image/history.ts";

/** What goes with an image and with nothing else, in bytes. */
export interface Burden {
  readonly trees: number;
  readonly blobs: number;
  readonly manifests: number;
}

export interface PlannedImage {
  readonly image: Image;
  readonly name: string;
  readonly usedAt: number;
  readonly burden: Burden;
}

interface Store {
  readonly images: Pick<Graph["images"], "list" | "parentOf" | "usedAt">;
  readonly layers: Pick<Graph["layers"], "blob" | "chain" | "size">;
  readonly content: Pick<Graph["content"], "size">;
}

export interface Plan {
  /** Images that containers are made of or mount. */
  readonly inUse: ReadonlySet<string>;
  /** Milliseconds since the epoch: what was used later stays. */
  readonly usedBefore: number;
  readonly withNames: boolean;
  /** Enough is enough; of images without a name all go. */
  readonly goalBytes?: number;
}

/**
 * The images to remove, in this order: those without a name first, then least recently used first. What another one was
 * made from goes after it or not at all.
 */
export async function planImages(store: Store, plan: Plan): Promise<readonly PlannedImage[]> {
  const { images } = store;
  const all = images.list();
  const counts = new Counts();
  for (const image of all) counts.add(await partsOf(store, image));
  const children = Map.groupBy(all, ({ id }) => images.parentOf(id));
  const gone = new Set<Digest>();
  const planned: PlannedImage[] = [];
  let freed = 0;
  const isFree = (image: Image) =>
    !gone.has(image.id) && (children.get(image.id) ?? []).every(({ id }) => gone.has(id));
  const candidates = all
    .map((image) => ({ image, usedAt: images.usedAt(image.id) }))
    .filter(({ image, usedAt }) => !plan.inUse.has(image.id) && usedAt <= plan.usedBefore)
    .filter(({ image }) => plan.withNames || image.tags.length === 0)
    .sort((a, b) => Number(a.image.tags.length > 0) - Number(b.image.tags.length > 0) || a.usedAt - b.usedAt);
  for (;;) {
    const next = candidates.find(({ image }) => isFree(image));
    const isEnough = plan.goalBytes !== undefined && freed >= plan.goalBytes;
    if (next === undefined || (isEnough && next.image.tags.length > 0)) return planned;
    const burden = counts.take(await partsOf(store, next.image));
    gone.add(next.image.id);
    freed += burden.trees + burden.blobs + burden.manifests;
    planned.push({ ...next, name: nameOf(next.image), burden });
  }
}

function nameOf({ id, tags: [tag], digests: [digest] }: Image): string {
  const name = tag ?? digest;
  return name === undefined ? id : familiarReference(name);
}

/** Everything that an image holds, with its bytes. */
type Parts = ReadonlyMap<string, { readonly kind: keyof Burden; readonly bytes: number }>;

async function partsOf({ layers, content }: Store, image: Image): Promise<Parts> {
  const parts = new Map<string, { kind: keyof Burden; bytes: number }>();
  for (const layer of layersOf(image, layers)) {
    parts.set(layer, { kind: "trees", bytes: layers.size(layer as LayerId) ?? 0 });
    const blob = await layers.blob(layer);
    // A layer without one below may go by the same digest as its blob.
    if (blob !== undefined) parts.set(`blob ${blob.digest}`, { kind: "blobs", bytes: blob.size });
  }
  const { manifest } = image;
  if (manifest !== undefined)
    parts.set(`manifest ${manifest.digest}`, {
      kind: "manifests",
      bytes: (await content.size(manifest.digest)) ?? 0,
    });
  return parts;
}

/** How many images hold each part. */
class Counts {
  readonly #counts = new Map<string, number>();

  add(parts: Parts): void {
    for (const name of parts.keys()) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** What nobody holds any more once this image has gone. */
  take(parts: Parts): Burden {
    const burden = { trees: 0, blobs: 0, manifests: 0 };
    for (const [name, { kind, bytes }] of parts) {
      const left = (this.#counts.get(name) ?? 1) - 1;
      this.#counts.set(name, left);
      if (left === 0) burden[kind] += bytes;
    }
    return burden;
  }
}
