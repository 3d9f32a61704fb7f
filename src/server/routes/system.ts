import { type Context, Hono } from "hono";
import { AuthBody, DiskUsageQuery, EventsQuery } from "#api";
import { didYouMean, Fault } from "#errors";
import type { EngineEvent } from "#jobs";
import { clientGone, type JobRunner, type ServerEnv, type ServerFacts } from "../environment.ts";
import { jsonResponse, toJson } from "../json.ts";
import { streamResponse } from "../stream.ts";
import { type Measured, toDiskUsage } from "../translate/disk-usage.ts";
import { toEventMessage } from "../translate/event.ts";
import { EVENT_FILTERS, parseFilters } from "../translate/filters.ts";
import { toInfo, toVersion } from "../translate/system.ts";
import { body, query } from "../validate.ts";
import { wholeResponse } from "../whole.ts";

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
    .on(["GET", "HEAD"], "/_ping", (c) =>
      c.req.raw.method === "HEAD"
        ? new Response(null, { headers: { ...PING_HEADERS, "Content-Length": "0" } })
        : wholeResponse("OK", { status: 200, headers: { ...PING_HEADERS, "Content-Length": "2" } }),
    )
    .get("/version", () => jsonResponse(toVersion(facts)))
    .get("/info", async (c) => jsonResponse(toInfo(await engine.run("system.info", {}), c.get("version"))))
    .get("/system/df", async (c) => {
      const { verbose: isVerbose } = query(c, DiskUsageQuery);
      const measured = await measure(engine, c);
      return jsonResponse(toDiskUsage(measured, { version: c.get("version"), now: new Date(), isVerbose }));
    })
    .post("/auth", async (c) => {
      const given = await body(c, AuthBody);
      const environment = { REGISTRY_AUTH: JSON.stringify(given) };
      const input = { server: given.serveraddress };
      const { identityToken = "" } = await engine.run("system.login", input, {
        signal: clientGone(c),
        environment,
      });
      return jsonResponse({ Status: "Login Succeeded", IdentityToken: identityToken });
    })
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

const KINDS = ["container", "image", "volume", "build-cache"];

/** All kinds, or those that the query names. */
async function measure(engine: JobRunner, c: Context<ServerEnv>): Promise<Measured> {
  const asked = c.req.queries("type") ?? [];
  const stranger = asked.find((kind) => !KINDS.includes(kind));
  if (stranger !== undefined)
    throw new Fault(
      "invalid",
      `unknown object type: ${stranger.slice(0, 100)}${didYouMean(stranger, KINDS)}`,
    );
  const wants = (kind: string) => asked.length === 0 || asked.includes(kind);
  const signal = clientGone(c);
  const list = { all: true, limit: 0, size: true, filters: {} };
  const [images, containers, volumes] = await Promise.all([
    wants("image") ? engine.run("image.usage", {}, { signal }) : undefined,
    wants("container") ? engine.run("container.list", list, { signal }) : undefined,
    wants("volume") ? engine.run("volume.usage", {}, { signal }) : undefined,
  ]);
  return {
    ...(images !== undefined && { images }),
    ...(containers !== undefined && { containers }),
    ...(volumes !== undefined && { volumes }),
    hasBuildCache: wants("build-cache"),
  };
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
