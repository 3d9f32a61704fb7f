import type { Socket } from "node:net";
import { Hono } from "hono";
import type { z } from "zod";
import { AttachQuery, isAtLeast, LogsQuery, StatsQuery, WaitQuery } from "#api";
import { Fault } from "#errors";
import type { Jobs } from "#jobs";
import { type AttachedStream, streamType, takeOver, takeOverWebsocket } from "../attach-stream.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import { clientGone, type JobRunner, type ServerEnv } from "../environment.ts";
import { toJson } from "../json.ts";
import { streamResponse } from "../stream.ts";
import { toContainerStats } from "../translate/stats.ts";
import { named, query } from "../validate.ts";
import { websocketOf } from "../websocket.ts";

const CONDITIONS = ["not-running", "next-exit", "removed"] as const;

/** Before it a websocket carried all streams, and before that as text. Source: Docker Engine API, version history. */
const STREAMS_CHOSEN_SINCE = "1.42";
const BINARY_SINCE = "1.28";

/** What goes on for as long as a container does: attach, logs, wait, stats. */
export function streamRoutes(engine: JobRunner): Hono<ServerEnv> {
  return new Hono<ServerEnv>()
    .post("/containers/:id/attach", async (c) => {
      const asked = query(c, AttachQuery);
      return takeOver(c, await attach(engine, named(c, "id"), asked));
    })
    .get("/containers/:id/attach/ws", async (c) => {
      const asked = query(c, AttachQuery);
      const version = c.get("version");
      const accept = websocketOf(c);
      const all = isAtLeast(version, STREAMS_CHOSEN_SINCE) ? {} : { stdin: true, stdout: true, stderr: true };
      const attached = await attach(engine, named(c, "id"), { ...asked, ...all });
      return takeOverWebsocket(accept(isAtLeast(version, BINARY_SINCE) ? "binary" : "text"), attached);
    })
    .get("/containers/:id/logs", async (c) => {
      const { tail, since, until, ...wanted } = query(c, LogsQuery);
      if (!wanted.stdout && !wanted.stderr)
        throw new Fault("invalid", "Bad parameters: you must choose at least one stream");
      const input = { ref: named(c, "id"), ...wanted, ...defined({ since, until, tail: toTail(tail) }) };
      const { tty, pieces } = await engine.run("container.logs", input, { signal: clientGone(c) });
      return streamResponse(pieces, streamType(c.get("version"), tty));
    })
    .post("/containers/:id/wait", async (c) => {
      const condition = toCondition(query(c, WaitQuery).condition || "not-running");
      const wait = await engine.run("container.wait", { ref: named(c, "id"), condition });
      return streamResponse(waited(wait, clientGone(c)), "application/json");
    })
    .get("/containers/:id/stats", async (c) => {
      const { stream = true, "one-shot": oneShot } = query(c, StatsQuery);
      const version = c.get("version");
      if (stream && oneShot) throw new Fault("invalid", "Cannot have stream=true and one-shot=true");
      const samples = await engine.run(
        "container.stats",
        { ref: named(c, "id"), stream, oneShot },
        { signal: clientGone(c) },
      );
      return streamResponse(
        mapped(samples, (sample) => `${toJson(toContainerStats(sample, version))}\n`),
        "application/json",
      );
    });
}

export async function attach(
  engine: JobRunner,
  ref: string,
  { detachKeys, ...wanted }: z.output<typeof AttachQuery>,
): Promise<AttachedStream> {
  parseDetachKeys(detachKeys);
  const input = { ref, ...wanted, detachKeys: detachKeys ?? "" };
  const { tty, backlog, open, cancel } = await engine.run("container.attach", input);
  return {
    tty,
    stdin: wanted.stdin,
    detachKeys,
    ...(backlog !== undefined && { backlog }),
    ...(wanted.stream ? { open, cancel } : unwanted(open, cancel)),
  };
}

/** Throws `invalid`. */
export function toCondition(text: string): (typeof CONDITIONS)[number] {
  const known = CONDITIONS.find((name) => name === text);
  if (known === undefined) throw new Fault("invalid", `Invalid condition: "${text.slice(0, 100)}"`);
  return known;
}

/** A client that wants only what was logged is not connected. */
function unwanted(open: Promise<Socket>, cancel: () => void): { readonly open: undefined } {
  cancel();
  open.then(
    (socket) => socket.destroy(),
    () => undefined,
  );
  return { open: undefined };
}

type WaitResult = Awaited<Jobs["container.wait"]["output"]["result"]>;

/** The reply's head is on its way before this is first asked: the wait is in place by then. */
async function* waited({ result, cancel }: Jobs["container.wait"]["output"], gone: AbortSignal) {
  const left = Promise.withResolvers<undefined>();
  gone.addEventListener("abort", () => left.resolve(undefined), { once: true });
  if (gone.aborted) left.resolve(undefined);
  const over: WaitResult | undefined = await Promise.race([result, left.promise]);
  if (over === undefined) return cancel();
  const { code, error } = over;
  yield `${toJson({ StatusCode: code, ...(error !== undefined && { Error: { Message: error } }) })}\n`;
}

async function* mapped<Item, Made>(
  items: AsyncIterable<Item>,
  make: (item: Item) => Made,
): AsyncGenerator<Made> {
  for await (const item of items) yield make(item);
}

/** `all`, or a number of lines; what is no number, or a negative one, is all, as Docker has it. */
function toTail(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function defined<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> } {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> };
}
