import { z } from "zod";
import { defineJob } from "#engine";
import { FiltersInput } from "../filters.ts";
import type { Rooms } from "../rooms.ts";
import type { ContainerView } from "../types.ts";
import { recordFilter, viewFilter } from "./list-filters.ts";
import { sizesOf, type ViewNeeds, viewOf } from "./view.ts";

type Needs = ViewNeeds & {
  readonly containers: Pick<Rooms["containers"], "find" | "get" | "links" | "list">;
};

/** The containers, newest first; without `all` those that run, with a limit the last so many made. */
export const listContainers = (needs: Needs) =>
  defineJob({
    name: "container.list",
    input: z.object({
      all: z.boolean(),
      limit: z.number().int(),
      size: z.boolean(),
      filters: FiltersInput,
    }),

    async run({ all, limit, size, filters }) {
      const isWanted = recordFilter(
        { containers: needs.containers, images: needs.graph.images },
        filters,
        all || limit > 0,
      );
      const isShown = viewFilter(filters);
      const looking = lookingOnce(needs);
      const views: ContainerView[] = [];
      for (const container of needs.containers.list().toReversed()) {
        if (limit > 0 && views.length >= limit) break;
        if (!isWanted(container)) continue;
        const view = viewOf(looking, container);
        if (isShown(view)) views.push(view);
      }
      if (!size) return views;
      const sized: ContainerView[] = [];
      for (const view of views) sized.push({ ...view, ...(await sizesOf(needs, view.container)) });
      return sized;
    },
  });

/** Many containers are of few images: while one list is made, each name is looked up once. */
function lookingOnce({ containers, networks, execs, graph }: ViewNeeds): ViewNeeds {
  const found = new Map<string, ReturnType<typeof graph.images.find>>();
  const find = (name: string) => {
    if (!found.has(name)) found.set(name, graph.images.find(name));
    return found.get(name);
  };
  return {
    containers,
    networks,
    execs,
    graph: { driver: graph.driver, images: { find, get: (id) => graph.images.get(id) } },
  };
}
