import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Volume } from "#volume";
import { checkFilters, FiltersInput, flag, matchesLabels } from "../filters.ts";
import type { Rooms } from "../rooms.ts";
import { type MeasureNeeds, sizeOf } from "./usage.ts";

type Needs = MeasureNeeds & {
  readonly volumes: Pick<Rooms["volumes"], "list" | "remove" | "usersOf">;
  readonly events: Pick<Rooms["events"], "publish">;
};

/**
 * Removes the volumes of this host that no container refers to: anonymous ones, and with `all` those with a name.
 * What has options stays, as in Docker: it may be somebody's elsewhere. What was removed before a cancellation
 * stays removed.
 */
export const pruneVolumes = (needs: Needs) =>
  defineJob({
    name: "volume.prune",
    input: z.object({ filters: FiltersInput }),

    async run({ filters }, { signal }) {
      checkFilters(filters, ["all", "label", "label!"]);
      const isAll = flag(filters, "all") === true;
      const deleted: string[] = [];
      let reclaimedBytes = 0;
      for (const volume of needs.volumes.list()) {
        if (signal.aborted) break;
        if (!(isAll || volume.isAnonymous) || !isPrunable(volume)) continue;
        if (!matchesLabels(filters, volume.labels)) continue;
        const size = await pruneOne(needs, volume, signal);
        if (size === undefined) continue;
        deleted.push(volume.name);
        reclaimedBytes += size;
      }
      const attributes = { reclaimed: String(reclaimedBytes) };
      needs.events.publish({ type: "volume", action: "prune", id: "", attributes });
      return { deleted, reclaimedBytes };
    },
  });

function isPrunable({ driver, options }: Volume): boolean {
  return driver === "local" && Object.keys(options).length === 0;
}

/** How many bytes that gave back; undefined when somebody has come to use it, or removes it too. */
async function pruneOne(needs: Needs, volume: Volume, signal: AbortSignal): Promise<number | undefined> {
  const { name, driver } = volume;
  if (needs.volumes.usersOf(name).length > 0) return undefined;
  try {
    const size = (await sizeOf(needs, volume, signal)) ?? 0;
    await needs.volumes.remove(name);
    needs.events.publish({ type: "volume", action: "destroy", id: name, attributes: { driver } });
    return size;
  } catch (thrown) {
    const isGone = thrown instanceof Fault && ["cancelled", "conflict", "not_found"].includes(thrown.kind);
    if (isGone || signal.aborted) return undefined;
    throw thrown;
  }
}
