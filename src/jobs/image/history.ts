import { z } from "zod";
import { defineJob } from "#engine";
import type { Graph, Image, LayerId } from "#graph";
import { familiarReference } from "#oci";
import type { HistoryEntry } from "../types.ts";
import { findImage } from "./find.ts";
import { requirePlatform } from "./platform.ts";

/** The id of steps that were taken elsewhere, as Docker prints it. */
const MISSING = "<missing>";

interface Needs {
  readonly graph: {
    readonly driver: Pick<Graph["driver"], "size">;
    readonly images: Pick<Graph["images"], "find" | "get" | "parentOf">;
    readonly layers: Pick<Graph["layers"], "chain">;
  };
}

/** The steps an image was made by, newest first. Only the steps taken here have an id. */
export const imageHistory = (needs: Needs) =>
  defineJob({
    name: "image.history",
    input: z.object({ ref: z.string().min(1), platform: z.string().optional() }),

    async run({ ref, platform }): Promise<readonly HistoryEntry[]> {
      const image = findImage(needs.graph.images, ref);
      requirePlatform(image, ref, platform);
      const layers = layersOf(image, needs.graph.layers);
      const lineage = ancestors(image, needs.graph.images);
      const steps = stepsOf(image);
      const newest = steps.toReversed();
      let position = layers.length;
      const entries: HistoryEntry[] = [];
      for (const [age, step] of newest.entries()) {
        const layer = step.empty_layer === true ? undefined : layers[--position];
        entries.push({
          id: lineage[age]?.id ?? MISSING,
          created: step.created ?? "",
          createdBy: step.created_by ?? "",
          size: layer === undefined ? 0 : await needs.graph.driver.size(layer),
          comment: step.comment ?? "",
          tags: (lineage[age]?.tags ?? []).map(familiarReference),
        });
      }
      return entries;
    },
  });

type Step = NonNullable<Image["config"]["history"]>[number];

/** An image that does not tell its history has a nameless step per layer. */
function stepsOf({ config }: Image): readonly Step[] {
  const told = config.history ?? [];
  const count = config.rootfs.diff_ids.length;
  const filled = told.filter(({ empty_layer }) => empty_layer !== true).length;
  return filled === count ? told : config.rootfs.diff_ids.map(() => ({ created: config.created }));
}

/** The image, and those it was made from here: each of them is one step older. */
function ancestors(image: Image, images: Pick<Graph["images"], "get" | "parentOf">): readonly Image[] {
  const line = [image];
  const seen = new Set([image.id]);
  for (let parent = images.parentOf(image.id); parent !== undefined && !seen.has(parent); ) {
    const found = images.get(parent);
    if (found === undefined) break;
    seen.add(parent);
    line.push(found);
    parent = images.parentOf(parent);
  }
  return line;
}

/** The chain ids of an image's layers, bottom first. */
export function layersOf(
  { config }: Pick<Image, "config">,
  layers: Pick<Graph["layers"], "chain">,
): readonly LayerId[] {
  let parent: LayerId | undefined;
  return config.rootfs.diff_ids.map((diffId) => {
    parent = layers.chain(parent, diffId);
    return parent;
  });
}
