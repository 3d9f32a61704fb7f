import { z } from "zod";
import type { Containers } from "#container";
import { defineJob } from "#engine";
import type { Graph } from "#graph";
import { findImage } from "./find.ts";
import { requirePlatform } from "./platform.ts";

interface Needs {
  readonly graph: {
    readonly driver: Pick<Graph["driver"], "data" | "name">;
    readonly images: Pick<Graph["images"], "find">;
  };
  readonly containers: Pick<Containers, "list">;
}

/** One image, and where the graph driver keeps it. */
export const inspectImage = (needs: Needs) =>
  defineJob({
    name: "image.inspect",
    input: z.object({ ref: z.string().min(1), platform: z.string().optional() }),

    async run({ ref, platform }) {
      const { driver, images } = needs.graph;
      const image = findImage(images, ref);
      requirePlatform(image, ref, platform);
      const containers = needs.containers.list().filter(({ imageId }) => imageId === image.id).length;
      const graphData = image.top === undefined ? {} : await driver.data(image.top);
      return { ...image, containers, graphData, driver: driver.name };
    },
  });
