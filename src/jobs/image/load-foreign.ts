import { expand, foreignCompressionOf } from "#archive";
import type { Spool, Spooled } from "#graph";
import type { ArchivedImage, ArchivedLayer } from "./load-contents.ts";

/** Layers that were compressed in a way in which no blob is kept, and what they are without. */
export type Undone = Map<Spooled, Spooled>;

interface Undoing {
  readonly spool: Pick<Spool, "create" | "stream">;
  readonly signal: AbortSignal;
  /** Images share layers: each is undone once. */
  readonly undone: Undone;
}

/**
 * The image with its layers as blobs are kept: xz and bzip2 are undone. A manifest that named one of those speaks of
 * what is not kept, and is left out. Throws `invalid` for a damaged layer, `unsupported` without the host's program.
 */
export async function withKeptLayers(undoing: Undoing, image: ArchivedImage): Promise<ArchivedImage> {
  const { manifest, ...rest } = image;
  const layers: ArchivedLayer[] = [];
  for (const layer of image.layers)
    layers.push((await isForeign(undoing, layer)) ? { file: await undo(undoing, layer.file) } : layer);
  const isChanged = layers.some((layer, at) => layer !== image.layers[at]);
  return isChanged || manifest === undefined ? { ...rest, layers } : image;
}

async function isForeign({ spool }: Undoing, { file }: ArchivedLayer): Promise<boolean> {
  for await (const start of spool.stream(file, 0)) return foreignCompressionOf(start) !== undefined;
  return false;
}

async function undo({ spool, signal, undone }: Undoing, file: Spooled): Promise<Spooled> {
  const known = undone.get(file);
  if (known !== undefined) return known;
  await using scope = new AsyncDisposableStack();
  const plain = await spool.create();
  scope.defer(() => plain.discard());
  for await (const piece of expand(spool.stream(file, 0))) {
    signal.throwIfAborted();
    await plain.write(piece);
  }
  const made = await plain.finish();
  scope.move();
  undone.set(file, made);
  return made;
}
