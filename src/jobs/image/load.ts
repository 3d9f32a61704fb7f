import { z } from "zod";
import { defineJob, type EventBus, type JobContext } from "#engine";
import { Fault } from "#errors";
import type { Graph, Image, LayerId, Spool } from "#graph";
import {
  type Digest,
  familiarReference,
  formatReference,
  hostPlatform,
  ImageConfig,
  parseJson,
  parsePlatform,
  sha256,
} from "#oci";
import { announceImage } from "./announce.ts";
import { readArchive } from "./load-archive.ts";
import { type ArchivedImage, imagesIn } from "./load-contents.ts";
import { type Undone, withKeptLayers } from "./load-foreign.ts";
import { takeLayers } from "./load-layers.ts";
import { checkPlatform } from "./platform.ts";

interface Needs {
  readonly graph: {
    readonly content: Pick<Graph["content"], "put">;
    readonly images: Pick<Graph["images"], "find" | "register" | "tag">;
    readonly layers: Pick<Graph["layers"], "chain" | "has" | "obtain" | "release">;
    readonly spool: Graph["spool"];
  };
  readonly events: Pick<EventBus, "publish">;
}

/** A bar that moves more often than this only costs. Milliseconds. */
const INTERVAL = 100;

/** Takes in what `save` of this engine, of docker or of podman wrote, from a stream that is read once. */
export const loadImages = (needs: Needs) =>
  defineJob({
    name: "image.load",
    input: z.object({ quiet: z.boolean(), platform: z.string().optional() }),

    async run({ quiet, platform: asked }, context) {
      const { input } = context.streams;
      if (input === undefined) throw new Fault("invalid", "Cannot load images: the request has no body");
      const platform = asked === undefined ? hostPlatform() : parsePlatform(asked);
      if (platform === undefined)
        throw new Fault(
          "invalid",
          `Cannot load for the platform "${asked}": expected os/architecture[/variant]`,
        );
      context.phase("reading the archive");
      await using spool = needs.graph.spool();
      const passed = quiet ? () => {} : counter(context);
      const files = await readArchive(input, spool, { signal: context.signal, passed });
      const wanted = { platform, isAsked: asked !== undefined };
      const loaded: Digest[] = [];
      const undone: Undone = new Map();
      for (const found of await imagesIn({ files, spool }, wanted)) {
        const archived = await withKeptLayers({ spool, signal: context.signal, undone }, found);
        const config = configOf(archived);
        if (asked !== undefined) checkPlatform(config, platform, nameOf(archived));
        const image = await take({ ...needs, spool, context, quiet }, archived, config);
        loaded.push(image.id);
      }
      return { loaded };
    },
  });

function nameOf({ tags: [first] }: ArchivedImage): string {
  return first === undefined ? "of the archive" : familiarReference(first);
}

/** How much of the archive has come; how much there will be is not known. */
function counter({ report }: Pick<JobContext, "report">): (bytes: number) => void {
  let current = 0;
  let last = Number.NEGATIVE_INFINITY;
  return (bytes) => {
    current += bytes;
    const now = performance.now();
    if (now - last < INTERVAL) return;
    last = now;
    report({ kind: "status", id: "archive", status: "Reading", current });
  };
}

function configOf({ config, layers }: ArchivedImage): ImageConfig {
  const parsed = ImageConfig.safeParse(parseJson(config, "the image's configuration"));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") || "it";
    throw new Fault("invalid", `Cannot load the image: its configuration: ${where}: ${issue?.message}`);
  }
  const count = parsed.data.rootfs.diff_ids.length;
  if (count === layers.length) return parsed.data;
  throw new Fault(
    "invalid",
    `invalid manifest, layers length mismatch: expected ${layers.length}, got ${count}`,
  );
}

interface Taking extends Needs {
  readonly spool: Spool;
  readonly context: JobContext;
  readonly quiet: boolean;
}

/** One image, whole or not at all. */
async function take(taking: Taking, archived: ArchivedImage, config: ImageConfig): Promise<Image> {
  const { graph, context, events } = taking;
  const { layers, images, content } = graph;
  context.phase(`loading ${nameOf(archived)}`);
  await using undo = new AsyncDisposableStack();
  const held: LayerId[] = [];
  undo.defer(() => layers.release(held));
  const { spool, quiet } = taking;
  const diffIds = config.rootfs.diff_ids;
  const top = await takeLayers(
    { layers, spool, context, quiet, held },
    { archived: archived.layers, diffIds },
  );
  context.signal.throwIfAborted();
  const { manifest } = archived;
  if (manifest !== undefined) await content.put(manifest.bytes, manifest.descriptor.digest);
  const [first, ...others] = archived.tags;
  tellMoves(taking, archived);
  const image = images.register({
    config: archived.config,
    ...(manifest !== undefined && { manifest: manifest.descriptor }),
    ...(top !== undefined && { top }),
    ...(first !== undefined && { tag: first }),
  });
  undo.move(); // The image holds its layers from here on.
  for (const tag of others) images.tag(image.id, tag);
  for (const tag of archived.tags)
    context.report({ kind: "text", text: `Loaded image: ${familiarReference(tag)}\n` });
  if (first === undefined) context.report({ kind: "text", text: `Loaded image ID: ${image.id}\n` });
  announceImage(events, "load", { id: image.id, name: image.id, config: image.config });
  return image;
}

/** In docker's words: a name goes from one image to another. */
function tellMoves({ graph, context }: Taking, { tags, config }: ArchivedImage): void {
  for (const tag of tags) {
    const before = graph.images.find(formatReference(tag));
    if (before === undefined || before.id === sha256(config)) continue;
    const text = `The image ${familiarReference(tag)} already exists, renaming the old one with ID ${before.id} to empty string\n`;
    context.report({ kind: "text", text });
  }
}
