import { z } from "zod";
import { defineJob, type EventBus, type JobContext } from "#engine";
import { Fault } from "#errors";
import type { Graph, Image } from "#graph";
import {
  type Digest,
  familiarReference,
  familiarRepository,
  formatReference,
  hostPlatform,
  type Platform,
  parseNamed,
  parsePlatform,
  type Reference,
  withDefaultTag,
} from "#oci";
import { LIMITS, type RegistryClient, type Resolved } from "#registry";
import { announceImage } from "./announce.ts";
import { layersOf } from "./history.ts";
import { obtainLayers, readConfig } from "./parts.ts";
import { checkPlatform, isPlatform } from "./platform.ts";
import { clientFor, type RegistryNeeds } from "./registry.ts";

interface Needs extends RegistryNeeds {
  readonly graph: {
    readonly content: Pick<Graph["content"], "has" | "put">;
    readonly images: Pick<Graph["images"], "find" | "register">;
    readonly layers: Pick<Graph["layers"], "chain" | "has" | "isWhole" | "obtain" | "release">;
  };
  readonly events: Pick<EventBus, "publish">;
}

interface Errand {
  readonly client: RegistryClient;
  readonly platform: Platform;
  readonly context: JobContext;
}

interface Pulled {
  readonly id: Digest;
  readonly digest: Digest;
  readonly changed: boolean;
}

const Input = z.object({ reference: z.string(), platform: z.string().optional(), allTags: z.boolean() });

/** Brings an image from its registry into the graph, whole or not at all. */
export const pullImage = (needs: Needs) =>
  defineJob({
    name: "image.pull",
    input: Input,

    async run({ reference: text, platform: wanted, allTags }, context): Promise<Pulled> {
      const named = parseNamed(text);
      const platform = wanted ? parsePlatform(wanted) : hostPlatform();
      if (platform === undefined)
        throw new Fault(
          "invalid",
          `Cannot pull for the platform "${wanted}": expected os/architecture[/variant]`,
        );
      const errand = { client: clientFor(needs, context), platform, context };
      const pulled = allTags
        ? await pullAll(needs, errand, named)
        : await pullOne(needs, errand, withDefaultTag(named));
      const name = familiarReference(allTags ? named : withDefaultTag(named));
      const word = pulled.changed ? "Downloaded newer image for" : "Image is up to date for";
      context.report({ kind: "status", status: `Status: ${word} ${name}` });
      return pulled;
    },
  });

async function pullAll(needs: Needs, errand: Errand, named: Reference): Promise<Pulled> {
  if (named.tag !== undefined || named.digest !== undefined)
    throw new Fault("invalid", "tag can't be used with --all-tags/-a");
  let last: Pulled | undefined;
  let changed = false;
  for (const tag of await errand.client.tags(named, errand.context)) {
    last = await pullOne(needs, errand, { ...named, tag });
    changed ||= last.changed;
  }
  if (last === undefined)
    throw new Fault("not_found", `Cannot pull all tags of ${familiarRepository(named)}: it has none`);
  return { ...last, changed };
}

async function pullOne(needs: Needs, errand: Errand, reference: Reference): Promise<Pulled> {
  const { client, platform, context } = errand;
  context.phase(`resolving ${familiarReference(reference)}`);
  const before = needs.graph.images.find(formatReference(reference));
  const current = await unchanged(needs, errand, { reference, image: before });
  if (current === undefined) {
    const resolved = await client.resolve(reference, { platform, signal: context.signal });
    return await bring(needs, errand, { reference, resolved, before });
  }
  announceStart(context, reference);
  finish(needs, context, { reference, digest: current.digest, image: current.image });
  return { id: current.image.id, digest: current.digest, changed: false };
}

/** The image that is here already, if it is whole and the registry says that the name still means it. */
async function unchanged(
  needs: Needs,
  { client, platform, context }: Errand,
  { reference, image }: { readonly reference: Reference; readonly image: Image | undefined },
): Promise<{ readonly image: Image; readonly digest: Digest } | undefined> {
  if (image === undefined || !isPlatform(image.config, platform)) return undefined;
  const { content, layers } = needs.graph;
  if (!layers.isWhole(image.top)) return undefined;
  if (image.manifest !== undefined && !(await content.has(image.manifest.digest))) return undefined;
  const digest = reference.digest ?? (await client.digest(reference, context).catch(ifAnswered));
  context.signal.throwIfAborted();
  const isSame = ({ domain, path, digest: known }: Reference) =>
    domain === reference.domain && path === reference.path && known === digest;
  return digest !== undefined && image.digests.some(isSame) ? { image, digest } : undefined;
}

/** Some registries know no HEAD: asking for the whole tells more. Nobody there stays nobody there. */
function ifAnswered(thrown: unknown): undefined {
  if (thrown instanceof Fault && thrown.kind !== "unavailable") return undefined;
  throw thrown;
}

interface Bring {
  readonly reference: Reference;
  readonly resolved: Resolved;
  readonly before: Image | undefined;
}

async function bring(needs: Needs, errand: Errand, { reference, resolved, before }: Bring): Promise<Pulled> {
  const { context, client, platform } = errand;
  const { signal } = context;
  const digest = resolved.root.digest;
  announceStart(context, reference);
  context.phase(`getting ${familiarReference(reference)}`);
  const bytes = await client.fetch(reference, resolved.config, { limit: LIMITS.config, signal });
  const config = readConfig(bytes, resolved);
  checkPlatform(config, platform, familiarReference(reference));
  const { layers } = needs.graph;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => layers.release(layersOf({ config }, layers)));
  const top = await obtainLayers(layers, { reference, resolved, diffIds: config.rootfs.diff_ids }, errand);
  await needs.graph.content.put(resolved.manifestBytes, resolved.manifest.digest);
  signal.throwIfAborted();
  context.phase(`registering ${familiarReference(reference)}`);
  const { domain, path, tag } = reference;
  const image = needs.graph.images.register({
    config: bytes,
    manifest: resolved.manifest,
    ...(top !== undefined && { top }),
    ...(tag !== undefined && reference.digest === undefined && { tag: { domain, path, tag } }),
    digest: { domain, path, digest },
  });
  undo.move(); // The image holds its layers from here on.
  finish(needs, context, { reference, digest, image });
  return { id: image.id, digest, changed: before?.id !== image.id };
}

function announceStart(context: JobContext, { path, tag, digest }: Reference): void {
  context.report({ kind: "status", id: digest ?? tag ?? "", status: `Pulling from ${path}` });
}

function finish(
  needs: Needs,
  context: JobContext,
  {
    reference,
    digest,
    image,
  }: { readonly reference: Reference; readonly digest: Digest; readonly image: Image },
): void {
  context.report({ kind: "status", status: `Digest: ${digest}` });
  announceImage(needs.events, "pull", {
    id: familiarReference(reference),
    name: familiarRepository(reference),
    config: image.config,
  });
}
