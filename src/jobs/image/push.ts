import { z } from "zod";
import { defineJob, type EventBus, type JobContext } from "#engine";
import { Fault } from "#errors";
import type { Graph, Image, LayerId } from "#graph";
import {
  type Descriptor,
  type Digest,
  familiarReference,
  familiarRepository,
  MEDIA,
  parseNamed,
  type Reference,
  repository,
  sha256,
} from "#oci";
import type { PushedBlob, RegistryClient } from "#registry";
import type { EngineSettings } from "../rooms.ts";
import { announceImage } from "./announce.ts";
import { layersOf } from "./history.ts";
import { manifestOf } from "./manifest.ts";
import { shortId } from "./progress.ts";
import { clientFor, type RegistryNeeds } from "./registry.ts";

interface Needs extends RegistryNeeds {
  readonly settings: RegistryNeeds["settings"] & Pick<EngineSettings, "concurrentUploads">;
  readonly graph: {
    readonly content: Pick<Graph["content"], "has" | "path" | "read">;
    readonly images: Pick<Graph["images"], "configuration" | "list">;
    readonly layers: Pick<Graph["layers"], "blob" | "chain" | "compress" | "hold" | "release">;
  };
  readonly events: Pick<EventBus, "publish">;
}

/** A bar that moves more often than this only costs. Milliseconds. */
const INTERVAL = 100;

/** Sends images to their registry: what it has already is not sent again, and nothing is compressed twice. */
export const pushImage = (needs: Needs) =>
  defineJob({
    name: "image.push",
    input: z.object({ reference: z.string() }),

    async run({ reference: text }, context) {
      const named = parseNamed(text);
      if (named.digest !== undefined)
        throw new Fault("invalid", "cannot push a digest reference: push by tag, the digest follows from it");
      const images = tagged(needs, named);
      const client = clientFor(needs, context);
      context.report({ kind: "status", status: `The push refers to repository [${repository(named)}]` });
      const pushed: { tag: string; digest: Digest }[] = [];
      for (const { image, tag } of images) {
        const digest = await pushOne(needs, { client, context }, { image, reference: { ...named, tag } });
        pushed.push({ tag, digest });
      }
      return { pushed };
    },
  });

/** The images a reference means. Throws `not_found` in Docker's words. */
function tagged(needs: Needs, { domain, path, tag }: Reference): { image: Image; tag: string }[] {
  const found = needs.graph.images
    .list()
    .flatMap((image) =>
      image.tags
        .filter((one) => one.domain === domain && one.path === path && (tag === undefined || one.tag === tag))
        .map((one) => ({ image, tag: one.tag ?? "" })),
    );
  if (found.length > 0) return found.sort((one, other) => (one.tag < other.tag ? -1 : 1));
  const name = repository({ domain, path });
  throw new Fault(
    "not_found",
    tag === undefined
      ? `An image does not exist locally with the tag: ${name}`
      : `An image does not exist locally with the tag: ${name}:${tag}; tag one with that name first`,
  );
}

interface Errand {
  readonly client: RegistryClient;
  readonly context: JobContext;
}

async function pushOne(
  needs: Needs,
  { client, context }: Errand,
  { image, reference }: { readonly image: Image; readonly reference: Reference & { readonly tag: string } },
): Promise<Digest> {
  context.phase(`pushing ${familiarReference(reference)}`);
  const layers = layersOf(image, needs.graph.layers);
  needs.graph.layers.hold(layers);
  await using _held = { [Symbol.asyncDispose]: () => needs.graph.layers.release(layers) };
  const parallel = { atOnce: needs.settings.concurrentUploads, signal: context.signal };
  await inParallel(await plainLayers(needs, image, layers), parallel, (layer, signal) =>
    needs.graph.layers.compress(layer, signal),
  );
  const { bytes, manifest, mediaType } = await manifestOf(needs.graph, image);
  const from = donors(needs, { image, reference });
  const blobs = unique(manifest.layers);
  for (const { digest } of blobs)
    context.report({ kind: "status", id: shortId(digest), status: "Preparing" });
  const pushConfig = async (signal: AbortSignal) => {
    const source = new Blob([needs.graph.images.configuration(image.id)]);
    await client.pushBlob(reference, manifest.config, { source, from: [], signal, report: () => {} });
  };
  await inParallel([...blobs, manifest.config], parallel, async (descriptor, signal) => {
    if (descriptor === manifest.config) return pushConfig(signal);
    const source = needs.graph.content.path(descriptor.digest);
    const how = await client.pushBlob(reference, descriptor, {
      source,
      from,
      signal,
      report: bar(context, descriptor),
    });
    context.report({ kind: "status", id: shortId(descriptor.digest), status: wordsFor(how) });
  });
  await client.pushManifest(reference, { bytes, mediaType }, { signal: context.signal });
  const digest = sha256(bytes);
  const { tag } = reference;
  context.report({ kind: "status", status: `${tag}: digest: ${digest} size: ${bytes.length}` });
  context.report({ kind: "aux", aux: { Tag: tag, Digest: digest, Size: bytes.length } });
  announceImage(needs.events, "push", {
    id: familiarReference(reference),
    name: familiarRepository(reference),
    config: image.config,
  });
  return digest;
}

/** Those that a commit left uncompressed. What a manifest names came so, and its digest shall stay. */
async function plainLayers(
  { graph }: Needs,
  { manifest }: Image,
  layers: readonly LayerId[],
): Promise<readonly LayerId[]> {
  if (manifest !== undefined) return [];
  const blobs = await Promise.all(layers.map((layer) => graph.layers.blob(layer)));
  const plain = layers.filter((_, at) => blobs[at]?.mediaType === MEDIA.ociLayer);
  if (plain.length === 0) return [];
  const named = graph.images.list().filter((image) => image.manifest !== undefined);
  const theirs = new Set(named.flatMap((image) => layersOf(image, graph.layers)));
  return plain.filter((layer) => !theirs.has(layer));
}

/** A repository of the same registry that has layers of the image, as far as this host knows. */
function donors(
  needs: Needs,
  { image, reference }: { readonly image: Image; readonly reference: Reference },
): readonly string[] {
  const wanted = new Set(image.config.rootfs.diff_ids);
  const sharing = needs.graph.images
    .list()
    .filter(({ config }) => config.rootfs.diff_ids.some((diffId) => wanted.has(diffId)));
  const names = sharing
    .flatMap(({ digests }) => digests)
    .filter(({ domain, path }) => domain === reference.domain && path !== reference.path)
    .map(({ path }) => path);
  return [...new Set(names)].slice(0, 1);
}

function unique(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(descriptors.map((one) => [one.digest, one])).values()];
}

/** When one fails the others are ended, and none goes on behind the failure. */
async function inParallel<Item>(
  items: readonly Item[],
  { atOnce, signal: given }: { readonly atOnce: number; readonly signal: AbortSignal },
  work: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([given, stop.signal]);
  const rest = [...items];
  let failure: { readonly thrown: unknown } | undefined;
  const worker = async () => {
    try {
      for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item, signal);
    } catch (thrown) {
      failure ??= { thrown };
      rest.length = 0;
      stop.abort();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failure !== undefined) throw failure.thrown;
}

function bar({ report }: Pick<JobContext, "report">, { digest, size }: Descriptor) {
  let last = Number.NEGATIVE_INFINITY;
  return (current: number) => {
    const now = performance.now();
    if (now - last < INTERVAL && current < size) return;
    last = now;
    report({ kind: "status", id: shortId(digest), status: "Pushing", current, total: size });
  };
}

function wordsFor(pushed: PushedBlob): string {
  if (pushed.how === "mounted") return `Mounted from ${pushed.from}`;
  return pushed.how === "pushed" ? "Pushed" : "Layer already exists";
}
