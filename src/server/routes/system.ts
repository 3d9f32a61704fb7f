import { type Context, Hono } from "hono";
import { EventsQuery } from "#api";
import type { EngineEvent } from "#jobs";
import { clientGone, type JobRunner, type ServerEnv, type ServerFacts } from "../environment.ts";
import { jsonResponse, toJson } from "../json.ts";
import { streamResponse } from "../stream.ts";
import { toEventMessage } from "../translate/event.ts";
import { EVENT_FILTERS, parseFilters } from "../translate/filters.ts";
import { toInfo, toVersion } from "../translate/system.ts";
import { query } from "../validate.ts";

/** Builder-Version 1: the classic builder's clients need not try BuildKit. */
const PING_HEADERS = {
  "Builder-Version": "1",
  Swarm: "inactive",
  "Cache-Control": "no-cache, no-store, must-revalidate",
  Pragma: "no-cache",
  "Content-Type": "text/plain; charset=utf-8",
};

export function systemRoutes(engine: JobRunner, facts: ServerFacts): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .on(["GET", "HEAD"], "/_ping", (c) => {
      const isHead = c.req.raw.method === "HEAD";
      const headers = { ...PING_HEADERS, "Content-Length": isHead ? "0" : "2" };
      return new Response(isHead ? null : "OK", { headers });
    })
    .get("/version", () => jsonResponse(toVersion(facts)))
    .get("/info", async () => jsonResponse(toInfo(await engine.run("system.info", {}))))
    .get("/events", async (c) => {
      const { since, until, filters } = query(c, EventsQuery);
      const input = {
        filters: parseFilters(filters, EVENT_FILTERS),
        ...(since !== undefined && { since }),
        ...(until !== undefined && { until }),
      };
      const events = await engine.run("system.events", input, { signal: clientGone(c) });
      const { type, start, end } = eventFormat(c);
      return streamResponse(eventLines(events, { version: c.get("version"), start, end }), type);
    });
}

/** From API 1.52 on a client may ask for a type that says there is more than one document. */
function eventFormat(c: Context<ServerEnv>): {
  readonly type: string;
  readonly start: string;
  readonly end: string;
} {
  const accept = c.req.header("accept") ?? "";
  if (accept.includes("application/json-seq"))
    return { type: "application/json-seq", start: "\x1e", end: "\n" };
  const lines = ["application/jsonl", "application/x-ndjson"].find((type) => accept.includes(type));
  return { type: lines ?? "application/json", start: "", end: "\n" };
}

async function* eventLines(
  events: AsyncIterable<EngineEvent>,
  { version, start, end }: { version: string; start: string; end: string },
): AsyncGenerator<string> {
  for await (const event of events) yield `${start}${toJson(toEventMessage(event, version))}${end}`;
}
