import { z } from "zod";
import { defineJob, type EngineEvent } from "#engine";
import { checkFilters, FiltersInput, matches, matchesLabels } from "../filters.ts";
import type { Rooms } from "../rooms.ts";
import type { Filters } from "../types.ts";

/** Source: Docker Engine API, GET /events, `filters`. */
const KNOWN = [
  "config",
  "container",
  "daemon",
  "event",
  "image",
  "label",
  "network",
  "node",
  "plugin",
  "scope",
  "secret",
  "service",
  "type",
  "volume",
];
/** Actions that go on after a colon: asked for without it, all of them are meant. */
const OPEN_ACTIONS = ["exec_create", "exec_start", "health_status"];

interface Needs {
  readonly events: Pick<Rooms["events"], "subscribe">;
}

/** What happens from now on, and with `since` what is remembered of before. */
export const systemEvents = (needs: Needs) =>
  defineJob({
    name: "system.events",
    input: z.object({ since: z.bigint().optional(), until: z.bigint().optional(), filters: FiltersInput }),

    async run({ since, until, filters }, { signal }) {
      checkFilters(filters, KNOWN);
      return needs.events.subscribe({
        filter: eventFilter(filters),
        signal,
        ...(since !== undefined && { since }),
        ...(until !== undefined && { until }),
      });
    },
  });

export function eventFilter(filters: Filters): (event: EngineEvent) => boolean {
  return (event) =>
    matches(filters, "type", (value) => value === event.type) &&
    matches(filters, "event", (value) => isAction(value, event.action)) &&
    matches(filters, "scope", (value) => value === "local") &&
    matches(filters, "image", (value) => isImage(value, event)) &&
    (["container", "network", "volume", "daemon"] as const).every((type) =>
      matches(filters, type, (value) => isAbout(value, event, type)),
    ) &&
    ["config", "node", "plugin", "secret", "service"].every((type) => (filters[type] ?? []).length === 0) &&
    matchesLabels(filters, event.attributes);
}

function isAction(wanted: string, action: string): boolean {
  return wanted === action || (OPEN_ACTIONS.includes(wanted) && action.startsWith(`${wanted}:`));
}

/** By the beginning of an id or name; a network's event is also about the container that it names. */
function isAbout(wanted: string, event: EngineEvent, type: EngineEvent["type"]): boolean {
  const texts =
    event.type === type ? [event.id, event.attributes.name ?? ""] : [event.attributes[type] ?? ""];
  return texts.some((text) => text !== "" && text.startsWith(wanted));
}

function isImage(wanted: string, { type, id, attributes }: EngineEvent): boolean {
  if (type !== "image" && type !== "container") return false;
  const name = attributes[type === "image" ? "name" : "image"] ?? "";
  return wanted === id || wanted === name || wanted === withoutTag(name);
}

function withoutTag(name: string): string {
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(0, colon) : name;
}
