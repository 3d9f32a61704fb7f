import { open } from "node:fs/promises";
import { verify } from "#archive";
import { sentenceOf } from "#errors";
import { type Digest, sha256 } from "#oci";
import type { Content } from "./content.ts";
import type { GraphDriver, LayerId } from "./driver.ts";
import type { Collector } from "./gc.ts";
import type { LayerRow, LayerTable } from "./layer-table.ts";
import type { LayerStore } from "./layers.ts";
import type { ImageStore } from "./store.ts";
import type { Ailment, Examination, ExamineOptions, Image } from "./types.ts";

export interface ExaminerNeeds {
  readonly driver: GraphDriver;
  readonly content: Content;
  readonly table: LayerTable;
  readonly images: ImageStore;
  readonly layers: Pick<LayerStore, "hold" | "release" | "chain">;
  readonly collector: Pick<Collector, "garbage" | "strangers">;
  readonly missing: ReadonlySet<LayerId>;
  /** Whether another driver has the layer's tree. */
  readonly isKeptElsewhere: (layer: LayerId) => boolean;
}

type Told = Omit<Ailment, "images">;

/** As Graph.examine. Looks only: whoever works with the graph meanwhile is not hindered. */
export async function examine(needs: ExaminerNeeds, options: ExamineOptions): Promise<Examination> {
  const { table, images, collector, layers } = needs;
  const before = await collector.strangers(options.keep);
  const known = images.list();
  const rows = table.all();
  const held = rows.map(({ id }) => id);
  await using undo = new AsyncDisposableStack();
  layers.hold(held);
  undo.defer(() => layers.release(held));
  const broken = await brokenBlobs(needs, rows, options);
  const told: Told[] = [
    ...broken.ailments,
    ...(await brokenManifests(needs, known, options)),
    ...brokenImages(needs, known),
    ...(await brokenLayers(needs, rows, { ...options, sound: broken.sound })),
  ];
  // Those that a job was just making are known by now.
  const after = new Set(await collector.strangers(options.keep));
  return {
    ailments: told.map((one) => ({ ...one, images: concerned(needs, one, known) })),
    strangers: before.filter((layer) => after.has(layer)),
    garbage: await collector.garbage(),
    checked: { blobs: broken.count, layers: rows.length, images: known.length, bytes: broken.bytes },
  };
}

async function brokenBlobs(
  needs: ExaminerNeeds,
  rows: readonly LayerRow[],
  { isQuick, signal, phase }: ExamineOptions,
) {
  const digests = new Set(rows.flatMap(({ blob }) => blob ?? []));
  const ailments: Told[] = [];
  const sound = new Set<Digest>();
  let bytes = 0;
  for (const digest of digests) {
    phase(`checking blob ${digest.slice(0, 19)}`);
    bytes += (await needs.content.size(digest)) ?? 0;
    const reason = await ailmentOf(needs, digest, { isQuick, signal });
    if (reason === undefined) sound.add(digest);
    // Its row may have gone meanwhile, and the blob with it.
    else if (needs.table.isBlobUsed(digest))
      ailments.push({ kind: "blob", id: digest, sentence: `the compressed layer ${reason}` });
  }
  return { ailments, sound, bytes, count: digests.size };
}

async function ailmentOf(
  { content }: ExaminerNeeds,
  digest: Digest,
  { isQuick, signal }: Pick<ExamineOptions, "isQuick" | "signal">,
): Promise<string | undefined> {
  const size = await content.size(digest);
  if (size === undefined) return "is missing";
  if (size === 0) return "is empty";
  if (isQuick) return undefined;
  try {
    return (await content.isSound(digest, signal)) ? undefined : "is not what its digest says";
  } catch (thrown) {
    signal.throwIfAborted();
    return `cannot be read: ${sentenceOf(thrown)}`;
  }
}

async function brokenManifests(
  needs: ExaminerNeeds,
  images: readonly Image[],
  options: ExamineOptions,
): Promise<readonly Told[]> {
  const ailments: Told[] = [];
  for (const digest of new Set(images.flatMap(({ manifest }) => manifest?.digest ?? []))) {
    const reason = await ailmentOf(needs, digest, options);
    const isWanted = needs.images.list().some(({ manifest }) => manifest?.digest === digest);
    if (reason !== undefined && isWanted)
      ailments.push({ kind: "manifest", id: digest, sentence: `the manifest ${reason}` });
  }
  return ailments;
}

/** Rows that cannot be read, and images whose layers are not those of their configuration. */
function brokenImages({ images, table, layers }: ExaminerNeeds, known: readonly Image[]): readonly Told[] {
  const damaged = [...images.damaged].map(([id, reason]) => ({
    kind: "image" as const,
    id,
    sentence: `its record cannot be read (${reason})`,
  }));
  const torn = known.flatMap((image) => {
    if (images.get(image.id) === undefined) return [];
    let wanted: LayerId | undefined;
    for (const diffId of image.config.rootfs.diff_ids) wanted = layers.chain(wanted, diffId);
    const count = image.config.rootfs.diff_ids.length;
    if (image.top === wanted && table.chain(wanted).length === count) return [];
    return { kind: "image" as const, id: image.id, sentence: "layers of it have no record" };
  });
  return [...damaged, ...torn];
}

interface LayerOptions extends ExamineOptions {
  readonly sound: ReadonlySet<Digest>;
}

async function brokenLayers(
  needs: ExaminerNeeds,
  rows: readonly LayerRow[],
  options: LayerOptions,
): Promise<readonly Told[]> {
  const ailments: Told[] = [];
  for (const row of rows) {
    options.phase(`checking layer ${row.id.slice(0, 19)}`);
    const told = await layerAilment(needs, row, options);
    if (told !== undefined && needs.table.find(row.id) !== undefined) ailments.push({ id: row.id, ...told });
  }
  return ailments;
}

async function layerAilment(
  needs: ExaminerNeeds,
  { id, parent, diffId, blob }: LayerRow,
  { isQuick, sound, signal }: LayerOptions,
): Promise<Omit<Told, "id"> | undefined> {
  const { driver, missing } = needs;
  const chain = parent === undefined ? diffId : sha256(`${parent} ${diffId}`);
  if (id !== (chain as string)) return { kind: "layer", sentence: "its record speaks of another layer" };
  const isMissing = missing.has(id) || !(await driver.has(id));
  // This driver makes its own from the blob when it is first wanted.
  if (isMissing && blob !== undefined && needs.isKeptElsewhere(id)) return undefined;
  if (isMissing) return { kind: "tree", sentence: "its tree is missing" };
  if (blob === undefined)
    return { kind: "layer", sentence: "its compressed form is not kept: it cannot be pushed or saved" };
  if (isQuick || !sound.has(blob)) return undefined;
  try {
    return await compareTree(needs, { id, blob, diffId }, signal);
  } catch (thrown) {
    signal.throwIfAborted();
    return { kind: "tree", sentence: `its tree cannot be compared: ${sentenceOf(thrown)}` };
  }
}

async function compareTree(
  { driver, content }: ExaminerNeeds,
  { id, blob, diffId }: { readonly id: LayerId; readonly blob: Digest; readonly diffId: Digest },
  signal: AbortSignal,
): Promise<Omit<Told, "id"> | undefined> {
  await using tree = await driver.mount(id);
  await using file = await open(content.path(blob), "r");
  const { size } = await file.stat();
  const archive = { descriptor: file.fd, size };
  const verified = await verify({ directory: tree.path, archive, signal });
  if (verified.diffId !== diffId) return { kind: "layer", sentence: "its blob is that of another layer" };
  const [first] = verified.differences;
  if (first === undefined) return undefined;
  const more = verified.differences.length - 1;
  return { kind: "tree", sentence: `in its tree ${first}${more > 0 ? `, and ${more} more` : ""}` };
}

/** Images that stand on it, or came with it. */
function concerned(
  { table, layers }: ExaminerNeeds,
  { kind, id }: Told,
  images: readonly Image[],
): readonly Digest[] {
  if (kind === "image") return [id as Digest];
  const isOn = (image: Image): boolean => {
    if (kind === "manifest") return image.manifest?.digest === id;
    let layer: LayerId | undefined;
    return image.config.rootfs.diff_ids.some((diffId) => {
      layer = layers.chain(layer, diffId);
      return kind === "blob" ? table.find(layer)?.blob === id : layer === id;
    });
  };
  return images.filter(isOn).map((image) => image.id);
}
