import { type Compression, compressionOf } from "#archive";
import type { JobContext } from "#engine";
import { Fault } from "#errors";
import type { LayerId, LayerReport, Layers, Spool, Spooled } from "#graph";
import { type Digest, MEDIA } from "#oci";
import type { ArchivedLayer } from "./load-contents.ts";
import { shortId } from "./progress.ts";

/** A bar that moves more often than this only costs. Milliseconds. */
const INTERVAL = 100;
const LAYER_TYPES: Readonly<Record<Compression, string>> = {
  gzip: MEDIA.ociLayerGzip,
  zstd: MEDIA.ociLayerZstd,
  none: MEDIA.ociLayer,
};

interface Taking {
  readonly layers: Pick<Layers, "chain" | "has" | "obtain">;
  readonly spool: Spool;
  readonly context: Pick<JobContext, "report" | "signal">;
  readonly quiet: boolean;
  /** Is told of each layer that wants a release. */
  readonly held: LayerId[];
}

/**
 * Makes layers of an archive's files, bottom first, and tells the topmost. The files become the blobs as they are: nothing
 * is compressed, and nothing compressed again. Throws `invalid` for what is not what it is said to be.
 */
export async function takeLayers(
  taking: Taking,
  { archived, diffIds }: { readonly archived: readonly ArchivedLayer[]; readonly diffIds: readonly Digest[] },
): Promise<LayerId | undefined> {
  const failure = new AbortController();
  const signal = AbortSignal.any([taking.context.signal, failure.signal]);
  const coming: Promise<unknown>[] = [];
  let parent: LayerId | undefined;
  try {
    for (const [at, layer] of archived.entries()) {
      signal.throwIfAborted();
      const diffId = diffIds[at] as Digest;
      const place = { diffId, ...(parent !== undefined && { parent }) };
      const { there } = await begin(taking, layer, { ...place, signal });
      there.catch((thrown) => failure.abort(thrown));
      coming.push(there);
      parent = taking.layers.chain(parent, diffId);
    }
    await Promise.all(coming);
  } catch (thrown) {
    failure.abort(thrown);
    await Promise.allSettled(coming);
    taking.context.signal.throwIfAborted();
    throw failure.signal.reason;
  }
  return parent;
}

interface Place {
  readonly diffId: Digest;
  readonly parent?: LayerId;
  readonly signal: AbortSignal;
}

/** What is begun goes on beside the layers above it. */
async function begin(
  { layers, spool, context, quiet, held }: Taking,
  { file, descriptor: said }: ArchivedLayer,
  { diffId, parent, signal }: Place,
): Promise<{ readonly there: Promise<unknown> }> {
  const report = quiet ? () => {} : reporter(diffId, context);
  const above = parent === undefined ? {} : { parent };
  const isHere = layers.has(layers.chain(parent, diffId));
  const known = said === undefined ? await compressionIn(spool, file) : undefined;
  if (known === "none" && file.digest !== diffId) throw mismatch(diffId, file.digest);
  if (!isHere) await spool.adopt(file);
  const mediaType = LAYER_TYPES[known ?? "none"];
  const descriptor = said ?? { mediaType, digest: file.digest, size: file.size };
  held.push(layers.chain(parent, diffId));
  const open = (offset: number) => spool.stream(file, offset);
  return { there: layers.obtain({ descriptor, diffId, ...above, open }, { signal, report }) };
}

async function compressionIn(spool: Spool, file: Spooled): Promise<Compression> {
  for await (const start of spool.stream(file, 0)) return compressionOf(start);
  return "none";
}

function mismatch(diffId: Digest, actual: Digest): Fault {
  return new Fault(
    "invalid",
    `Cannot accept a layer of the archive: it is ${actual}, but the image's configuration says ${diffId}`,
  );
}

/** Docker's one bar for a layer that is loaded. */
function reporter(diffId: Digest, { report }: Pick<JobContext, "report">): LayerReport {
  let last = Number.NEGATIVE_INFINITY;
  return (phase, current, total) => {
    const now = performance.now();
    if (phase !== "extracting" || now - last < INTERVAL) return;
    last = now;
    report({
      kind: "status",
      id: shortId(diffId),
      status: "Loading layer",
      ...(current !== undefined && { current }),
      ...(total !== undefined && { total }),
    });
  };
}
