import { z } from "zod";
import { defineJob, type EventBus } from "#engine";
import { Fault } from "#errors";
import type { Graph } from "#graph";
import { familiarReference, isTag, parseNamed, withDefaultTag } from "#oci";
import { announceImage } from "./announce.ts";
import { findImage } from "./find.ts";

interface Needs {
  readonly graph: { readonly images: Pick<Graph["images"], "find" | "tag"> };
  readonly events: Pick<EventBus, "publish">;
}

const Input = z.object({ ref: z.string().min(1), repository: z.string(), tag: z.string() });

/** Gives an image one more name; another image that had it loses it. */
export const tagImage = (needs: Needs) =>
  defineJob({
    name: "image.tag",
    input: Input,

    async run({ ref, repository, tag }): Promise<Record<string, never>> {
      const image = findImage(needs.graph.images, ref);
      const named = parseNamed(repository);
      if (named.digest !== undefined)
        throw new Fault("invalid", "refusing to create a tag with a digest reference");
      if (tag !== "" && !isTag(tag)) throw new Fault("invalid", "invalid tag format");
      const reference = withDefaultTag(tag === "" ? named : { ...named, tag });
      needs.graph.images.tag(image.id, reference);
      announceImage(needs.events, "tag", {
        id: image.id,
        name: familiarReference(reference),
        config: image.config,
      });
      return {};
    },
  });
