import { z } from "zod";
import { defineJob } from "#engine";
import { checkFilters, FiltersInput, fits, flag, matches, matchesLabels } from "../filters.ts";
import type { Rooms } from "../rooms.ts";

/** Those that every engine has. */
const PREDEFINED = ["bridge", "host", "none"];

interface Needs {
  readonly networks: Pick<Rooms["networks"], "list" | "endpoints">;
  readonly containers: Pick<Rooms["containers"], "list">;
}

/** The networks. Source: Docker Engine API, GET /networks, `filters`. */
export const listNetworks = (needs: Needs) =>
  defineJob({
    name: "network.list",
    input: z.object({ filters: FiltersInput }),

    async run({ filters }) {
      checkFilters(filters, ["dangling", "driver", "id", "label", "name", "scope", "type"]);
      const isDangling = flag(filters, "dangling");
      const used = isDangling === undefined ? new Set<string>() : usedNetworks(needs);
      return needs.networks.list().filter(({ id, name, driver, labels }) => {
        const isPredefined = PREDEFINED.includes(name);
        return (
          matches(filters, "id", (value) => fits(value, id)) &&
          matches(filters, "name", (value) => fits(value, name)) &&
          matches(filters, "driver", (value) => value === driver) &&
          matches(filters, "scope", (value) => value === "local") &&
          matches(filters, "type", (value) => (value === "builtin") === isPredefined) &&
          matchesLabels(filters, labels) &&
          (isDangling === undefined || isDangling === (!isPredefined && !used.has(id)))
        );
      });
    },
  });

function usedNetworks(needs: Needs): ReadonlySet<string> {
  const ids = needs.containers
    .list()
    .flatMap(({ id }) => needs.networks.endpoints(id).endpoints.map(({ networkId }) => networkId));
  return new Set(ids);
}
