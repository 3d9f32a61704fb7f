import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { LayerId } from "#graph";
import { checkFilters, FiltersInput, latestOf, matchesLabels } from "../filters.ts";
import type { Rooms } from "../rooms.ts";
import { type RemovalNeeds, removeHeld } from "./removal.ts";

const STOPPED = ["created", "exited", "dead"];

type Needs = RemovalNeeds & {
  readonly containers: Pick<
    Rooms["containers"],
    "change" | "claimRemoval" | "get" | "hold" | "list" | "remove"
  >;
  readonly graph: { readonly driver: Pick<Rooms["graph"]["driver"], "has" | "remove" | "size"> };
};

/** Removes all containers that do not run. What was removed before a cancellation stays removed. */
export const pruneContainers = (needs: Needs) =>
  defineJob({
    name: "container.prune",
    input: z.object({ filters: FiltersInput }),

    async run({ filters }, { signal }) {
      checkFilters(filters, ["label", "label!", "until"]);
      const latest = latestOf(filters);
      const deleted: string[] = [];
      let reclaimedBytes = 0;
      for (const { id, state, effective, created } of needs.containers.list()) {
        if (signal.aborted) break;
        if (!STOPPED.includes(state.status) || Date.parse(created) > latest) continue;
        if (!matchesLabels(filters, effective.labels)) continue;
        const size = await pruneOne(needs, id);
        if (size === undefined) continue;
        deleted.push(id);
        reclaimedBytes += size;
      }
      needs.events.publish({
        type: "container",
        action: "prune",
        id: "",
        attributes: { reclaimed: String(reclaimedBytes) },
      });
      return { deleted, reclaimedBytes };
    },
  });

/** How many bytes that gave back; undefined when it runs again, or somebody else removes it. */
async function pruneOne(needs: Needs, id: string): Promise<number | undefined> {
  try {
    using claim = needs.containers.claimRemoval(id);
    await using held = await needs.containers.hold(claim.id);
    if (!STOPPED.includes(held.container.state.status)) return undefined;
    const size = await needs.graph.driver.size(held.container.layer as LayerId).catch(() => 0);
    await removeHeld(needs, held.container, { volumes: false });
    return size;
  } catch (thrown) {
    if (thrown instanceof Fault && (thrown.kind === "conflict" || thrown.kind === "not_found"))
      return undefined;
    throw thrown;
  }
}
