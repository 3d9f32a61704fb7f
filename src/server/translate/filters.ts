import { didYouMean, Fault } from "#errors";
import type { Filters } from "#jobs";

export const CONTAINER_FILTERS = words(
  "ancestor before exited expose health id isolation is-task label name network publish since status volume",
);
export const CONTAINER_PRUNE_FILTERS = words("label label! until");
export const IMAGE_FILTERS = words("before dangling label label! reference since until");
export const SEARCH_FILTERS = words("is-automated is-official stars");
export const IMAGE_PRUNE_FILTERS = words("dangling label label! until");
export const VOLUME_FILTERS = words("dangling driver label name");
export const VOLUME_PRUNE_FILTERS = words("all label label!");
export const NETWORK_FILTERS = words("dangling driver id label label! name scope type");
export const PLUGIN_FILTERS = words("capability enabled");
export const NETWORK_PRUNE_FILTERS = words("label label! until");
export const EVENT_FILTERS = words(
  "action config container daemon event image label network node plugin scope secret service type volume",
);

/** Keys whose values are one of a few words. */
const ENUMERATED: Readonly<Record<string, ReadonlySet<string>>> = {
  status: words("created running paused restarting removing exited dead"),
  health: words("none starting healthy unhealthy"),
  dangling: words("true false 1 0"),
  "is-task": words("true false 1 0"),
};

/**
 * The `filters` parameter in both of its encodings, `{"label":["a=b"]}` and `{"label":{"a=b":true}}`.
 * Throws `invalid` for what is neither, and for a key or value that the endpoint does not know.
 */
export function parseFilters(text: string | undefined, known: ReadonlySet<string>): Filters {
  if (text === undefined || text === "") return {};
  const filters = Object.entries(decoded(text)).map(([key, given]) => {
    if (!known.has(key))
      throw new Fault("invalid", `Invalid filter '${key.slice(0, 100)}'${didYouMean(key, known)}`);
    const values = valuesOf(key, given);
    const meant = ENUMERATED[key];
    const stranger = values.find((value) => meant?.has(value) === false);
    if (meant !== undefined && stranger !== undefined)
      throw new Fault(
        "invalid",
        `Invalid filter '${key}=${stranger.slice(0, 100)}'${didYouMean(stranger, meant)}`,
      );
    return [key, values] as const;
  });
  return Object.fromEntries(filters.filter(([, values]) => values.length > 0));
}

function decoded(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (value === null) return {};
    if (typeof value === "object" && !Array.isArray(value)) return value;
  } catch {
    // Said below, in the same words as for JSON of a wrong shape.
  }
  throw new Fault("invalid", "Invalid filters: expected a JSON object of lists");
}

function valuesOf(key: string, given: unknown): readonly string[] {
  if (given === null) return [];
  if (Array.isArray(given) && given.every((value): value is string => typeof value === "string"))
    return given;
  if (typeof given === "object" && !Array.isArray(given)) return Object.keys(given);
  throw new Fault("invalid", `Invalid filter '${key}': expected a list of words`);
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(" "));
}
