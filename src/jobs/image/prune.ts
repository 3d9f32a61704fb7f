import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Graph, Image, LayerId, RemovedImage } from "#graph";
import { booleanFilter, checkFilters, imageFilter } from "./filters.ts";
import { layersOf } from "./history.ts";
import { FiltersInput } from "./list.ts";
import { imagesOf, type RemoveNeeds, removeAndAnnounce } from "./remove.ts";

const KNOWN = ["dangling", "label", "label!", "until"];
const NOTHING: RemovedImage = { untagged: [], deleted: [] };

interface Needs extends RemoveNeeds {
  readonly graph: {
    readonly driver: Pick<Graph["driver"], "size">;
    readonly images: Pick<Graph["images"], "find" | "list" | "remove">;
    readonly layers: Pick<Graph["layers"], "chain">;
  };
}

/** Removes images that have no name, or with `dangling=false` all that no container is made of. */
export const pruneImages = (needs: Needs) =>
  defineJob({
    name: "image.prune",
    input: z.object({ filters: FiltersInput }),

    async run({ filters }, { signal }) {
      checkFilters(filters, KNOWN);
      const { images } = needs.graph;
      const isOnlyDangling = booleanFilter(filters, "dangling") ?? true;
      const isWanted = imageFilter(filters, { images, now: Date.now() });
      const inUse = new Set(needs.containers.list().flatMap(imagesOf));
      const candidates = images
        .list()
        .filter((image) => !inUse.has(image.id) && isWanted(image))
        .filter(({ tags }) => !isOnlyDangling || tags.length === 0);
      const sizes = await layerSizes(needs, candidates);
      const untagged: string[] = [];
      const deleted: string[] = [];
      for (const { id } of candidates) {
        signal.throwIfAborted();
        const removed = await removeUnlessNeeded(needs, id);
        untagged.push(...removed.untagged);
        deleted.push(...removed.deleted);
      }
      for (const image of images.list())
        for (const layer of layersOf(image, needs.graph.layers)) sizes.delete(layer);
      const reclaimedBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
      const attributes = { reclaimed: String(reclaimedBytes) };
      needs.events.publish({ type: "image", action: "prune", id: "", attributes });
      return { untagged, deleted, reclaimedBytes };
    },
  });

/** Another image or a new container may hold it by now, or a removal may have taken it along. */
export async function removeUnlessNeeded(needs: RemoveNeeds, id: string): Promise<RemovedImage> {
  try {
    return await removeAndAnnounce(needs, id, { force: true, prune: true, isSparing: true });
  } catch (thrown) {
    if (thrown instanceof Fault && (thrown.kind === "conflict" || thrown.kind === "not_found"))
      return NOTHING;
    throw thrown;
  }
}

/** Bytes of each layer that one of the images stands on. */
async function layerSizes(needs: Needs, images: readonly Image[]): Promise<Map<LayerId, number>> {
  const layers = new Set(images.flatMap((image) => layersOf(image, needs.graph.layers)));
  const sizes = [...layers].map(async (layer) => [layer, await needs.graph.driver.size(layer)] as const);
  return new Map(await Promise.all(sizes));
}
