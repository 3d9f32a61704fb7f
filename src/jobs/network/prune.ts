import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import { checkFilters, FiltersInput, latestOf, matchesLabels } from "../filters.ts";
import type { Rooms } from "../rooms.ts";
import { announceNetwork } from "./announce.ts";
import { PREDEFINED } from "./find.ts";

interface Needs {
  readonly networks: Pick<Rooms["networks"], "list" | "members" | "remove">;
  readonly events: Pick<Rooms["events"], "publish">;
  readonly complain: Rooms["complain"];
}

/** Removes the networks that no running container is on; names them. What was removed before a cancellation stays so. */
export const pruneNetworks = (needs: Needs) =>
  defineJob({
    name: "network.prune",
    input: z.object({ filters: FiltersInput }),

    async run({ filters }, { signal }) {
      checkFilters(filters, ["label", "label!", "until"]);
      const latest = latestOf(filters);
      const deleted: string[] = [];
      for (const { id, name, created, labels, scope, isConfigOnly } of needs.networks.list()) {
        if (signal.aborted) break;
        const isKept =
          PREDEFINED.includes(name) || scope !== "local" || isConfigOnly === true || created > latest;
        if (isKept || !matchesLabels(filters, labels) || needs.networks.members(id).length > 0) continue;
        if (await pruneOne(needs, id)) deleted.push(name);
      }
      needs.events.publish({ type: "network", action: "prune", id: "", attributes: { reclaimed: "0" } });
      return { deleted };
    },
  });

/** Whether it has gone; one that somebody has begun to use meanwhile stays. */
async function pruneOne(needs: Needs, id: string): Promise<boolean> {
  try {
    announceNetwork(needs.events, await needs.networks.remove(id), "destroy");
    return true;
  } catch (thrown) {
    const isTaken = thrown instanceof Fault && ["conflict", "denied", "not_found"].includes(thrown.kind);
    if (!isTaken) needs.complain(`Cannot remove network ${id.slice(0, 12)}`, thrown);
    return false;
  }
}
