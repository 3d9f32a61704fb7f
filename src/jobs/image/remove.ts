import { z } from "zod";
import type { Container, Containers } from "#container";
import { defineJob, type EventBus } from "#engine";
import type { Graph, RemovedImage } from "#graph";
import type { Digest } from "#oci";
import { announceImage } from "./announce.ts";
import { findImage } from "./find.ts";
import { requirePlatform } from "./platform.ts";

export interface RemoveNeeds {
  readonly graph: { readonly images: Pick<Graph["images"], "find" | "list" | "remove"> };
  readonly containers: Pick<Containers, "list">;
  readonly events: Pick<EventBus, "publish">;
}

const Input = z.object({
  ref: z.string().min(1),
  force: z.boolean(),
  prune: z.boolean(),
  platform: z.string().optional(),
});

/** Takes a name off an image, and removes the image with its last name. */
export const removeImage = (needs: RemoveNeeds) =>
  defineJob({
    name: "image.remove",
    input: Input,

    async run({ ref, force, prune, platform }) {
      requirePlatform(findImage(needs.graph.images, ref), ref, platform);
      return removeAndAnnounce(needs, ref, { force, prune });
    },
  });

/** The image that a container is made of, and those that it mounts. */
export function imagesOf({ imageId, mounts }: Container): readonly string[] {
  return [imageId, ...mounts.flatMap(({ image }) => image?.id ?? [])];
}

export async function removeAndAnnounce(
  needs: RemoveNeeds,
  ref: string,
  {
    isSparing = false,
    ...options
  }: {
    readonly force: boolean;
    readonly prune: boolean;
    /** Whether a stopped container is as good a reason to refuse as a running one. */
    readonly isSparing?: boolean;
  },
): Promise<RemovedImage> {
  const { id, config } = findImage(needs.graph.images, ref);
  const usedBy = (image: Digest) =>
    needs.containers
      .list()
      .filter((container) => imagesOf(container).includes(image))
      .map(({ id, state }) => ({
        id,
        isRunning: isSparing || state.status === "running" || state.status === "paused",
      }));
  const images = new Set(needs.graph.images.list().map(({ id }) => id));
  const removed = await needs.graph.images.remove(ref, { ...options, usedBy });
  for (const _ of removed.untagged) announceImage(needs.events, "untag", { id, name: id, config });
  // The layers that went along are told to the caller alone.
  for (const image of removed.deleted.filter((digest) => images.has(digest)))
    announceImage(needs.events, "delete", { id: image, name: image });
  return removed;
}
