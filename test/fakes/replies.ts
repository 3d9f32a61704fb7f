import { z } from "zod";
import * as api from "#api";
import type { App } from "#server";
import { splitPath } from "../../src/server/app.ts";

/** Before each document of `application/json-seq`. Source: RFC 7464. */
const SEPARATOR = "\x1e";

/** What a good reply holds: one document, one a line, text, bytes of another format, or nothing at all. */
type Reply =
  | { readonly kind: "json" | "lines"; readonly schema: z.ZodType }
  | { readonly kind: "text" | "bytes" | "empty" };

const json = (schema: z.ZodType): Reply => ({ kind: "json", schema });
const lines = (schema: z.ZodType): Reply => ({ kind: "lines", schema });
const text: Reply = { kind: "text" };
const bytes: Reply = { kind: "bytes" };
const empty: Reply = { kind: "empty" };
const none = json(z.never());

/** By the method and path of the route table. `none`: there is no good reply. */
export const REPLIES: Readonly<Record<string, Reply>> = {
  "GET /_ping": text,
  "HEAD /_ping": empty,
  "GET /version": json(api.Version),
  "GET /info": json(api.Info),
  "GET /system/df": json(api.DiskUsage),
  "POST /auth": json(api.AuthReply),
  "GET /events": lines(api.EventMessage),
  "GET /bunker/jobs": json(api.JobSummary.array()),
  "POST /bunker/jobs/:id/cancel": empty,
  "POST /containers/create": json(api.ContainerCreated),
  "GET /containers/json": json(api.ContainerSummary.array()),
  "POST /containers/prune": json(api.ContainersPruned),
  "GET /containers/:id/json": json(api.ContainerInspect),
  "GET /containers/:id/top": json(api.ContainerTop),
  "GET /containers/:id/changes": json(api.ContainerChange.array()),
  "POST /containers/:id/start": empty,
  "POST /containers/:id/stop": empty,
  "POST /containers/:id/restart": empty,
  "POST /containers/:id/kill": empty,
  "POST /containers/:id/pause": empty,
  "POST /containers/:id/unpause": empty,
  "POST /containers/:id/rename": empty,
  "POST /containers/:id/update": json(api.Warned),
  "POST /containers/:id/resize": empty,
  "DELETE /containers/:id": empty,
  "DELETE /containers/:parent/:alias": empty,
  "POST /containers/:id/attach": bytes,
  "GET /containers/:id/attach/ws": bytes,
  "GET /containers/:id/logs": bytes,
  "POST /containers/:id/wait": lines(api.ContainerWait),
  "GET /containers/:id/stats": lines(api.ContainerStats),
  "GET /containers/:id/archive": bytes,
  "PUT /containers/:id/archive": empty,
  "GET /containers/:id/export": bytes,
  "POST /commit": json(api.Created),
  "POST /containers/:id/exec": json(api.Created),
  "GET /exec/:id/json": json(api.ExecInspect),
  "POST /exec/:id/resize": empty,
  "POST /exec/:id/start": bytes,
  "POST /images/create": lines(api.ProgressLine),
  "POST /images/load": lines(api.ProgressLine),
  "POST /images/:name{.+}/push": lines(api.ProgressLine),
  "GET /images/get": bytes,
  "GET /images/:name{.+}/get": bytes,
  "GET /images/search": json(api.ImageFound.array()),
  "GET /images/json": json(api.ImageSummary.array()),
  "POST /images/prune": json(api.ImagesPruned),
  "GET /images/:name{.+}/json": json(api.ImageInspect),
  "GET /images/:name{.+}/history": json(api.ImageHistory.array()),
  "POST /images/:name{.+}/tag": empty,
  "DELETE /images/:name{.+}": json(api.ImageRemoved.array()),
  "GET /distribution/:name{.+}/json": json(api.DistributionInspect),
  "GET /volumes": json(api.VolumeList),
  "POST /volumes/create": json(api.VolumeInspect),
  "POST /volumes/prune": json(api.VolumesPruned),
  "GET /volumes/:name": json(api.VolumeInspect),
  "DELETE /volumes/:name": empty,
  "PUT /volumes/:name": none,
  "GET /bunker/volumes/:name/export": bytes,
  "POST /bunker/volumes/:name/import": empty,
  "POST /bunker/volumes/:name/clone": json(api.VolumeInspect),
  "GET /bunker/volumes/:name/snapshots": json(api.VolumeSnapshot.array()),
  "POST /bunker/volumes/:name/snapshots": json(api.VolumeSnapshot),
  "DELETE /bunker/volumes/:name/snapshots/:id": empty,
  "POST /bunker/volumes/:name/restore": empty,
  "GET /networks": json(api.NetworkSummary.array()),
  "POST /networks/create": json(api.NetworkCreated),
  "POST /networks/prune": json(api.NetworksPruned),
  "GET /networks/:id": json(api.NetworkInspect),
  "DELETE /networks/:id": empty,
  "POST /networks/:id/connect": empty,
  "POST /networks/:id/disconnect": empty,
  "GET /bunker/doctor": json(api.DoctorReport),
  "POST /bunker/doctor": json(api.DoctorReport),
  "GET /bunker/gc": json(api.GarbageReport),
  "POST /bunker/gc": json(api.GarbageReport),
  "GET /bunker/network/doctor": json(api.NetworkFinding.array()),
  "GET /bunker/ports": json(api.PublishedPortReport.array()),
  "GET /plugins": json(z.array(z.never())),
};

/** What is not in the table has no good reply: it answers that it is not there. */
export function replyOf(route: string): Reply {
  return REPLIES[route] ?? none;
}

/** The app, every reply of which is held against its schema: what is missing, of another type or unknown throws. */
export function heldToSchemas(app: App): App {
  const patterns = app.routes.map(({ method, path }) => ({
    method,
    route: `${method} ${path}`,
    pattern: toPattern(path),
  }));
  const routeOf = (method: string, url: string) => {
    const { path } = splitPath(url);
    const found = patterns.find((known) => known.method === method && known.pattern.test(path));
    return found?.route;
  };
  return {
    ...app,
    async fetch(request, bindings) {
      const response = await app.fetch(request, bindings);
      const route = routeOf(request.method, request.url);
      return route === undefined || isTaken(bindings) ? response : checked(response, route);
    },
  };
}

/** The reply to a connection that was taken over is already on its way. */
function isTaken(bindings: Parameters<App["fetch"]>[1]): boolean {
  return bindings?.hijack !== undefined;
}

function toPattern(path: string): RegExp {
  return new RegExp(`^${path.replace(/:\w+\{\.\+\}/g, ".+").replace(/:\w+/g, "[^/]+")}$`);
}

/** A check of a reply that has come over a socket as well. */
export async function checked(response: Response, route: string): Promise<Response> {
  const { status } = response;
  if (status >= 400) {
    demandDocument(api.ProblemBody, await response.clone().text(), route);
    return response;
  }
  const reply = replyOf(route);
  if (status === 204 || status === 304 || reply.kind === "empty") {
    const body = await response.clone().text();
    if (body !== "") throw new Error(`${route} answers ${status} with a body: ${body.slice(0, 200)}`);
  } else if (reply.kind === "json") demandDocument(reply.schema, await response.clone().text(), route);
  else if (reply.kind === "lines") return checkedLines(response, reply.schema, route);
  return response;
}

function demandDocument(schema: z.ZodType, body: string, route: string): void {
  const value: unknown = JSON.parse(body);
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw new Error(`${route} answers what its schema refuses: ${z.prettifyError(parsed.error)}`);
  const strangers = unknownFields(value, parsed.data);
  if (strangers.length > 0)
    throw new Error(`${route} answers with fields its schema has not: ${strangers.join(", ")}`);
}

/** What parsing has dropped. */
function unknownFields(given: unknown, kept: unknown, path = ""): string[] {
  if (typeof given !== "object" || given === null || typeof kept !== "object" || kept === null) return [];
  return Object.entries(given).flatMap(([name, value]) =>
    name in kept
      ? unknownFields(value, (kept as Record<string, unknown>)[name], `${path}.${name}`)
      : [`${path}.${name}`],
  );
}

/** Looks at each line as it passes. */
function checkedLines(response: Response, schema: z.ZodType, route: string): Response {
  if (response.body === null) return response;
  const decoder = new TextDecoder();
  let held = "";
  const look = (chunk: string) => {
    const [last = "", ...whole] = `${held}${chunk}`.split("\n").reverse();
    held = last;
    for (const line of whole)
      demandDocument(schema, line.startsWith(SEPARATOR) ? line.slice(1) : line, route);
  };
  const watching = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      look(decoder.decode(chunk, { stream: true }));
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(watching), response);
}
