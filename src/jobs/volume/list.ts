import { z } from "zod";
import { defineJob } from "#engine";
import { checkFilters, FiltersInput, fits, flag, matches, matchesLabels } from "../filters.ts";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly volumes: Pick<Rooms["volumes"], "discover" | "list" | "usersOf">;
}

/** The volumes by name. Source: Docker Engine API, GET /volumes, `filters`. */
export const listVolumes = (needs: Needs) =>
  defineJob({
    name: "volume.list",
    input: z.object({ filters: FiltersInput }),

    async run({ filters }) {
      checkFilters(filters, ["dangling", "driver", "label", "name"]);
      const isDangling = flag(filters, "dangling");
      const warnings = await needs.volumes.discover();
      const volumes = needs.volumes
        .list()
        .filter(
          ({ name, driver, labels }) =>
            matches(filters, "name", (value) => fits(value, name)) &&
            matches(filters, "driver", (value) => value === driver) &&
            matchesLabels(filters, labels) &&
            (isDangling === undefined || isDangling === (needs.volumes.usersOf(name).length === 0)),
        );
      return { volumes, warnings };
    },
  });
