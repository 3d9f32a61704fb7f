import { z } from "zod";
import type { Containers } from "#container";
import { defineJob } from "#engine";
import type { Graph, Image } from "#graph";
import type { Filters, ImageView } from "../types.ts";
import { booleanFilter, checkFilters, createdAt, imageFilter, matchesReference } from "./filters.ts";

const KNOWN = ["before", "dangling", "label", "label!", "reference", "since", "until"];

interface Needs {
  readonly graph: { readonly images: Pick<Graph["images"], "find" | "list" | "parentOf"> };
  readonly containers: Pick<Containers, "list">;
}

export const FiltersInput = z.record(z.string(), z.array(z.string())) as z.ZodType<Filters>;
const Input = z.object({ all: z.boolean(), filters: FiltersInput });

/** The images, newest first. Those that only others were made from are shown with `all`. */
export const listImages = (needs: Needs) =>
  defineJob({
    name: "image.list",
    input: Input,

    async run({ all, filters }): Promise<readonly ImageView[]> {
      checkFilters(filters, KNOWN);
      const { images } = needs.graph;
      const isWanted = imageFilter(filters, { images, now: Date.now() });
      const isShown = shownBy(filters, {
        all,
        parents: new Set(images.list().map(({ id }) => images.parentOf(id))),
      });
      const counts = Map.groupBy(needs.containers.list(), ({ imageId }) => imageId);
      return images
        .list()
        .filter(isWanted)
        .map((image) => withMatching(image, filters.reference ?? []))
        .filter(isShown)
        .sort((one, other) => createdAt(other) - createdAt(one))
        .map((image) => ({ ...image, containers: counts.get(image.id)?.length ?? 0 }));
    },
  });

/** With a pattern, only the names that fit it are told. */
function withMatching(image: Image, patterns: readonly string[]): Image {
  if (patterns.length === 0) return image;
  const fits = (reference: Image["tags"][number]) => matchesReference(reference, patterns);
  return { ...image, tags: image.tags.filter(fits), digests: image.digests.filter(fits) };
}

function shownBy(
  filters: Filters,
  { all, parents }: { readonly all: boolean; readonly parents: ReadonlySet<string | undefined> },
): (image: Image) => boolean {
  const dangling = booleanFilter(filters, "dangling");
  const isByName = (filters.reference ?? []).length > 0;
  return ({ id, tags, digests }) => {
    if (tags.length > 0) return dangling !== true;
    if (digests.length > 0) return true;
    const isHidden = !all && parents.has(id);
    return !isHidden && !isByName && dangling !== false;
  };
}
