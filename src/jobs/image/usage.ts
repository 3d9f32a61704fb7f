import { z } from "zod";
import type { Containers } from "#container";
import { defineJob } from "#engine";
import type { Graph, LayerId } from "#graph";
import type { ImageUsage } from "../types.ts";
import { layersOf } from "./history.ts";
import { listImages } from "./list.ts";

interface Needs {
  readonly graph: {
    readonly images: Pick<Graph["images"], "find" | "list" | "parentOf">;
    readonly layers: Pick<Graph["layers"], "chain" | "size">;
  };
  readonly containers: Pick<Containers, "list">;
}

/** How much the images take, and how much of each is another's as well, for `system df`. */
export const measureImages = (needs: Needs) =>
  defineJob({
    name: "image.usage",
    input: z.object({}),

    async run(_, context): Promise<ImageUsage> {
      const { layers } = needs.graph;
      const images = await listImages(needs).run({ all: false, filters: {} }, context);
      const uses = new Map<LayerId, number>();
      for (const image of images)
        for (const layer of layersOf(image, layers)) uses.set(layer, (uses.get(layer) ?? 0) + 1);
      const sum = (ids: Iterable<LayerId>) => {
        let bytes = 0;
        for (const id of ids) bytes += layers.size(id) ?? 0;
        return bytes;
      };
      const shared = images.map((image) => ({
        image,
        sharedBytes: sum(layersOf(image, layers).filter((layer) => (uses.get(layer) ?? 0) > 1)),
      }));
      return { layersBytes: sum(uses.keys()), images: shared };
    },
  });
