import { z } from "zod";
import { defineJob } from "#engine";
import type { Graph, StoredFile } from "#graph";
import { removeUnlessNeeded } from "../image/prune.ts";
import { imagesOf, type RemoveNeeds } from "../image/remove.ts";
import { type Burden, type PlannedImage, planImages } from "./gc-plan.ts";
import type { GarbageItem } from "./types.ts";

interface Needs extends RemoveNeeds {
  readonly graph: {
    readonly images: Pick<Graph["images"], "find" | "list" | "parentOf" | "remove" | "usedAt">;
    readonly layers: Pick<Graph["layers"], "blob" | "chain" | "size">;
    readonly content: Pick<Graph["content"], "size">;
    readonly garbage: Graph["garbage"];
    readonly discard: Graph["discard"];
  };
}

const REASONS: Readonly<Record<StoredFile["kind"], string>> = {
  blob: "no image is made of it: a pull that fetched it did not end",
  download: "a part of a blob, for a pull to go on with",
  "side file": "a file that was not finished when the daemon ended",
};

/** Frees what nobody needs, or tells what that would be. Volumes are never among it. */
export const collectGarbage = (needs: Needs) =>
  defineJob({
    name: "system.gc",
    input: z.object({
      isDry: z.boolean(),
      all: z.boolean(),
      keepSeconds: z.number().min(0),
      goalBytes: z.number().min(0).optional(),
    }),

    async run({ isDry, all, keepSeconds, goalBytes }, { signal, phase }) {
      phase("looking for what nobody needs");
      const files = await needs.graph.garbage();
      const leftovers = files.map(fileItem);
      const found = sum(leftovers);
      const images = await planImages(needs.graph, {
        inUse: new Set(needs.containers.list().flatMap(imagesOf)),
        usedBefore: Date.now() - keepSeconds * 1000,
        withNames: all,
        ...(goalBytes !== undefined && { goalBytes: Math.max(0, goalBytes - found) }),
      });
      const items = [...leftovers, ...images.map(imageItem)];
      if (isDry) return { items, bytes: sum(items) };
      phase("removing");
      const freed = [
        ...(await needs.graph.discard(files)).map(fileItem),
        ...(await removeImages(needs, images, signal)),
      ];
      return { items: freed, bytes: sum(freed) };
    },
  });

async function removeImages(
  needs: Needs,
  planned: readonly PlannedImage[],
  signal: AbortSignal,
): Promise<readonly GarbageItem[]> {
  const removed: GarbageItem[] = [];
  for (const one of planned) {
    signal.throwIfAborted();
    const { deleted } = await removeUnlessNeeded(needs, one.image.id);
    if (deleted.length > 0) removed.push(imageItem(one));
  }
  return removed;
}

function fileItem({ kind, path, digest, bytes }: StoredFile): GarbageItem {
  return { kind, name: digest ?? path.slice(path.lastIndexOf("/") + 1), bytes, reason: REASONS[kind] };
}

function imageItem({ image, name, burden, usedAt }: PlannedImage): GarbageItem {
  const since = `not used since ${new Date(usedAt).toISOString()}`;
  const kind = image.tags.length === 0 ? "it has no name" : "no container is made of it";
  return { kind: "image", name, bytes: total(burden), reason: `${kind}, ${since}: ${words(burden)}` };
}

function words({ trees, blobs, manifests }: Burden): string {
  return `${trees} bytes of layers, ${blobs} of blobs, ${manifests} of manifests`;
}

const total = ({ trees, blobs, manifests }: Burden) => trees + blobs + manifests;
const sum = (items: readonly GarbageItem[]) => items.reduce((bytes, item) => bytes + item.bytes, 0);
