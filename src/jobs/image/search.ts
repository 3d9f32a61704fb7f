import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import { type Found, parseCredentials, type SearchRequest } from "#registry";
import { checkFilters, FiltersInput, flag } from "../filters.ts";
import type { Filters } from "../shapes.ts";
import { type RegistryNeeds, registrySettings } from "./registry.ts";

const KNOWN = ["is-automated", "is-official", "stars"];
/** Source: Docker's engine, "search": what a registry may be asked for at once. */
const MOST = 100;

interface Needs extends Pick<RegistryNeeds, "settings"> {
  readonly searchRegistry: (request: SearchRequest) => Promise<readonly Found[]>;
}

/** Asks Docker Hub, or the registry that the term names, for repositories. */
export const searchImages = ({ settings, searchRegistry }: Needs) =>
  defineJob({
    name: "image.search",
    input: z.object({ term: z.string().min(1), limit: z.number().int(), filters: FiltersInput }),

    async run({ term, limit, filters }, { signal, environment }) {
      const wanted = predicate(filters);
      if (limit < 1 || limit > MOST)
        throw new Fault("invalid", `limit ${limit} is outside the range of [1, ${MOST}]`);
      const credentials = parseCredentials(environment.REGISTRY_AUTH);
      const found = await searchRegistry({
        term,
        limit,
        credentials,
        signal,
        settings: registrySettings(settings),
      });
      return found.filter(wanted);
    },
  });

/** Throws `invalid` for a filter that is none. */
function predicate(filters: Filters): (found: Found) => boolean {
  checkFilters(filters, KNOWN);
  const [isOfficial, isAutomated] = [flag(filters, "is-official"), flag(filters, "is-automated")];
  const stars = Math.max(0, ...(filters.stars ?? []).map(numberOfStars));
  return (found) =>
    found.stars >= stars &&
    (isOfficial === undefined || found.isOfficial === isOfficial) &&
    (isAutomated === undefined || found.isAutomated === isAutomated);
}

function numberOfStars(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Fault("invalid", `invalid filter 'stars=${text.slice(0, 100)}'`);
}
