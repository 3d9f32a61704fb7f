import { z } from "zod";
import { defineJob } from "#engine";
import { didYouMean, Fault } from "#errors";
import { checkFilters, FiltersInput, fits, flag, matches, matchesLabels } from "../filters.ts";
import type { Rooms } from "../rooms.ts";
import { PREDEFINED } from "./find.ts";

const KEYS = ["dangling", "driver", "id", "label", "name", "scope", "type"];

const TYPES = ["builtin", "custom"];

interface Needs {
  readonly networks: Pick<Rooms["networks"], "list" | "members">;
}

/** The networks. Source: Docker Engine API, GET /networks, `filters`. */
export const listNetworks = (needs: Needs) =>
  defineJob({
    name: "network.list",
    input: z.object({ filters: FiltersInput }),

    async run({ filters }) {
      checkFilters(filters, KEYS);
      const isDangling = flag(filters, "dangling");
      const unknown = (filters.type ?? []).find((type) => !TYPES.includes(type));
      if (unknown !== undefined)
        throw new Fault(
          "invalid",
          `invalid filter: 'type'='${unknown.slice(0, 100)}'${didYouMean(unknown, TYPES)}`,
        );
      return needs.networks.list().filter(({ id, name, driver, labels, scope }) => {
        const isPredefined = PREDEFINED.includes(name);
        return (
          matches(filters, "id", (value) => fits(value, id)) &&
          matches(filters, "name", (value) => fits(value, name)) &&
          matches(filters, "driver", (value) => value === driver) &&
          matches(filters, "scope", (value) => value === scope) &&
          matches(filters, "type", (value) => (value === "builtin") === isPredefined) &&
          matchesLabels(filters, labels) &&
          (isDangling === undefined ||
            isDangling === (!isPredefined && needs.networks.members(id).length === 0))
        );
      });
    },
  });
