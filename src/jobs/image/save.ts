import { z } from "zod";
import { defineJob, type EventBus } from "#engine";
import { Fault } from "#errors";
import type { Graph, Image } from "#graph";
import { familiarReference, parseNamed, parsePlatform, type Reference } from "#oci";
import { releasing } from "../container/archive-view.ts";
import { announceImage } from "./announce.ts";
import { findImage } from "./find.ts";
import { layersOf } from "./history.ts";
import { type ManifestNeeds, manifestOf } from "./manifest.ts";
import { checkPlatform } from "./platform.ts";
import { type SavedImage, savedArchive } from "./save-archive.ts";

interface Needs {
  readonly graph: ManifestNeeds & {
    readonly content: Pick<Graph["content"], "path" | "use">;
    readonly images: Pick<Graph["images"], "find" | "list">;
    readonly layers: Pick<Graph["layers"], "hold" | "release">;
  };
  readonly events: Pick<EventBus, "publish">;
}

/** More names than anybody types; each costs a manifest in memory. */
const MOST_NAMES = 1000;

/** Hands out images with all they are made of: blobs go as they are kept, each once. */
export const saveImages = (needs: Needs) =>
  defineJob({
    name: "image.save",
    input: z.object({ names: z.array(z.string()).max(MOST_NAMES), platform: z.string().optional() }),

    async run({ names, platform: wanted }, { signal }) {
      if (names.length === 0) throw new Fault("invalid", "Cannot save images: none is named");
      const { graph } = needs;
      const chosen = choose(names, graph.images);
      if (wanted !== undefined) checkPlatforms(chosen, wanted);
      await using undo = new AsyncDisposableStack();
      const layers = [...chosen.keys()].flatMap((image) => layersOf(image, graph.layers));
      graph.layers.hold(layers);
      undo.defer(() => graph.layers.release(layers));
      const saved: SavedImage[] = [];
      for (const [image, tags] of chosen) {
        const manifest = await manifestOf(graph, image);
        // A push may compress the layer meanwhile.
        for (const { digest } of manifest.manifest.layers) undo.use(graph.content.use(digest));
        saved.push({
          image,
          tags: [...tags.values()],
          manifest,
          config: graph.images.configuration(image.id),
        });
      }
      for (const { image } of saved)
        announceImage(needs.events, "save", { id: image.id, name: image.id, config: image.config });
      const bytes = savedArchive(saved, (digest) => graph.content.path(digest), signal);
      return releasing(bytes, { owned: undo.move(), signal });
    },
  });

/** Each image with those of its names that go along: a repository without a tag means all its tags. */
function choose(
  names: readonly string[],
  images: Needs["graph"]["images"],
): ReadonlyMap<Image, ReadonlyMap<string, Reference>> {
  const chosen = new Map<Image, Map<string, Reference>>();
  const add = (image: Image, tags: readonly Reference[]) => {
    const known = chosen.get(image) ?? new Map<string, Reference>();
    for (const tag of tags) known.set(familiarReference(tag), tag);
    chosen.set(image, known);
  };
  for (const name of names) {
    const named = nameOf(name);
    const tagged = named === undefined ? [] : images.list().flatMap((image) => match(image, named));
    for (const { image, tag } of tagged) add(image, [tag]);
    if (tagged.length === 0) add(findImage(images, name), []);
  }
  return chosen;
}

function nameOf(text: string): Reference | undefined {
  try {
    return parseNamed(text);
  } catch {
    return undefined; // The id of an image.
  }
}

function match(image: Image, { domain, path, tag, digest }: Reference): { image: Image; tag: Reference }[] {
  if (digest !== undefined) return [];
  return image.tags
    .filter((one) => one.domain === domain && one.path === path && (tag === undefined || one.tag === tag))
    .map((one) => ({ image, tag: one }));
}

function checkPlatforms(chosen: ReadonlyMap<Image, ReadonlyMap<string, Reference>>, wanted: string): void {
  const platform = parsePlatform(wanted);
  if (platform === undefined)
    throw new Fault(
      "invalid",
      `Cannot save for the platform "${wanted}": expected os/architecture[/variant]`,
    );
  for (const [image, names] of chosen) {
    const [name = image.id] = names.keys();
    checkPlatform(image.config, platform, name);
  }
}
