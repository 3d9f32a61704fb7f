import type { JobContext } from "#engine";
import { Fault } from "#errors";
import type { LayerId, Layers } from "#graph";
import { type Digest, ImageConfig, parseJson, type Reference } from "#oci";
import type { RegistryClient, Resolved } from "#registry";
import { layerReporter, shortId } from "./progress.ts";

export interface Wanted {
  readonly reference: Reference;
  readonly resolved: Resolved;
  readonly diffIds: readonly Digest[];
}

/** The configuration out of its verified bytes; throws `invalid` when it does not fit the manifest. */
export function readConfig(bytes: Uint8Array, { config: { digest }, layers }: Resolved): ImageConfig {
  const parsed = ImageConfig.safeParse(parseJson(bytes, `the image configuration ${digest}`));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") || "it";
    throw new Fault("invalid", `Cannot use the image configuration ${digest}: ${where}: ${issue?.message}`);
  }
  const count = parsed.data.rootfs.diff_ids.length;
  if (count === layers.length) return parsed.data;
  throw new Fault(
    "invalid",
    `Cannot use the image configuration ${digest}: it speaks of ${count} layers and the manifest of ${layers.length}`,
  );
}

/** All at once: the graph knows what may overlap. When one cannot be had the others are let go. */
export async function obtainLayers(
  layers: Pick<Layers, "chain" | "has" | "obtain">,
  { reference, resolved, diffIds }: Wanted,
  {
    client,
    context,
  }: { readonly client: RegistryClient; readonly context: Pick<JobContext, "report" | "signal"> },
): Promise<LayerId | undefined> {
  const failure = new AbortController();
  const signal = AbortSignal.any([context.signal, failure.signal]);
  let parent: LayerId | undefined;
  const wanted = resolved.layers.map((descriptor, position) => {
    const diffId = diffIds[position] as Digest;
    const source = {
      descriptor,
      diffId,
      ...(parent !== undefined && { parent }),
      open: (offset: number, signal: AbortSignal) => client.stream(reference, descriptor, { offset, signal }),
    };
    const id = layers.chain(parent, diffId);
    parent = id;
    return { id, source, report: layerReporter(descriptor.digest, context) };
  });
  for (const { id, source, report } of wanted)
    if (layers.has(id)) report("exists");
    else
      context.report({ kind: "status", id: shortId(source.descriptor.digest), status: "Pulling fs layer" });
  const obtained = wanted.map(async ({ source, report }) => {
    try {
      await layers.obtain(source, { signal, report });
    } catch (thrown) {
      failure.abort(thrown);
      throw thrown;
    }
  });
  const [failed] = (await Promise.allSettled(obtained)).filter(({ status }) => status === "rejected");
  context.signal.throwIfAborted();
  if (failed !== undefined) throw failure.signal.reason;
  return parent;
}
