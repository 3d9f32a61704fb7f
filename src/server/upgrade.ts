import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { Fault } from "#errors";
import type { ServerEnv } from "./environment.ts";
import { problemOf, problemResponse } from "./problem.ts";

/** The name of the protocol that the front puts into the head of a request that asks for none. */
export const UNASKED = "bunker-raw";

/** What gives the connection away unasked. Source: Docker Engine API, ContainerAttach and ExecStart. */
const HIJACKED = /^\/+(?:v\d+\.\d+\/+)?(?:containers\/+[^/?]+\/+attach|exec\/+[^/?]+\/+start)\/*(?:\?|$)/;

/** What gives it away to a websocket alone. Source: Docker Engine API, ContainerAttachWebsocket. */
const WEBSOCKET = /^\/+(?:v\d+\.\d+\/+)?containers\/+[^/?]+\/+attach\/+ws\/*(?:\?|$)/;

/** Bytes of the small JSON document that starts an exec. */
const BODY_LIMIT = 64 * 1024;

/** A connection that may be taken over. */
export interface Hijack {
  /** Aborts when the connection is closed. */
  readonly gone: AbortSignal;
  /** What the client asks to go over to; absent where it named nothing. */
  readonly protocol?: string;
  /** Sends the head of the reply. From then on the connection is bytes: standard input in, output back. */
  take(status: string, fields: HeaderFields): Socket;
}

export type HeaderFields = readonly (readonly [string, string])[];

/** GET /containers/{ref}/json, which clients that wait for something ask for all the time. */
export interface Polled {
  readonly ref: string;
  /** Of the API; absent where the path says none. */
  readonly version?: string;
}

export interface HijackableApp {
  fetch(request: Request, bindings: ServerEnv["Bindings"]): Promise<Response>;
  /** Part of every reply. */
  readonly headers: HeaderFields;
  /** The JSON that it is answered with; undefined where only `fetch` knows the answer. Never rejects. */
  polled?(asked: Polled): Promise<string | undefined>;
  /** Whether somebody is asked before each request: then nothing may be answered past `fetch`. */
  isJudged?(): boolean;
}

const ATTACHES = /\/attach\/*(?:\?|$)/;
/** The calls that give their connection away where that is asked: each is one for several of Docker's. */
const IN_ONE = /^\/+(?:v\d+\.\d+\/+)?bunker\/+containers\/+(?:[^/?]+\/+exec|run)\/*(?:\?|$)/;

/** Whether a request of this method and target takes its connection over, asked or not. */
export function mayHijack(method: string | undefined, target: string | undefined): boolean {
  return method === "POST" && HIJACKED.test(target ?? "");
}

/** Whether it may when it asks. */
export function mayUpgrade(method: string | undefined, target: string | undefined): boolean {
  if (method === "GET") return WEBSOCKET.test(target ?? "");
  return mayHijack(method, target) || (method === "POST" && IN_ONE.test(target ?? ""));
}

/**
 * Serves a request that came with `Upgrade`. The route decides by calling `take`; when it does not (an
 * error, a detached exec) its reply is sent as plain HTTP and the connection ends with it.
 */
export async function serveUpgrade(
  app: HijackableApp,
  { incoming, socket, head }: { incoming: IncomingMessage; socket: Socket; head: Buffer },
): Promise<void> {
  socket.on("error", () => socket.destroy());
  const controller = new AbortController();
  socket.once("close", () => controller.abort());
  let isTaken = false;
  const headers = new Headers();
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2)
    headers.append(incoming.rawHeaders[i] ?? "", incoming.rawHeaders[i + 1] ?? "");
  const { upgrade: protocol = UNASKED } = incoming.headers;
  const hijack: Hijack = {
    gone: controller.signal,
    ...(protocol !== UNASKED && { protocol }),
    take(status, fields) {
      isTaken = true;
      socket.write(replyHead(status, [...fields, ...app.headers]));
      return socket;
    },
  };
  const response = await answer(app, { incoming, socket, head, headers, hijack });
  if (!isTaken) await sendPlain(socket, response);
}

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly headers: Headers;
  readonly hijack: Hijack;
}

async function answer(app: HijackableApp, exchange: Exchange): Promise<Response> {
  const { incoming, socket, head, headers, hijack } = exchange;
  try {
    const body = await readBody(incoming, socket, head);
    headers.delete("transfer-encoding");
    const url = `http://bunker${incoming.url ?? "/"}`;
    const request = new Request(url, {
      method: incoming.method ?? "POST",
      headers,
      body: body.length === 0 ? null : new Blob([body]),
    });
    return await app.fetch(request, { hijack, connection: socket });
  } catch (thrown) {
    return problemResponse(problemOf(thrown), app.headers);
  }
}

function replyHead(status: string, fields: HeaderFields): string {
  return `HTTP/1.1 ${status}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/**
 * The declared body, off the raw connection; what lies behind it is standard input and goes back into the
 * socket. A chunked body is read for exec only: whoever attaches without declaring a length sends none.
 */
async function readBody(incoming: IncomingMessage, socket: Socket, head: Buffer): Promise<Uint8Array> {
  const { "content-length": length, "transfer-encoding": coding } = incoming.headers;
  const isChunked = coding !== undefined && !ATTACHES.test(incoming.url ?? "");
  const parse = isChunked ? parseChunked : (held: Buffer) => parseFixed(held, Number(length ?? 0));
  let held = head;
  let parsed = parse(held);
  while (parsed === undefined) {
    if (held.length > BODY_LIMIT)
      throw new Fault("invalid", `The request body is larger than ${BODY_LIMIT} bytes`);
    const chunk = await nextChunk(socket);
    if (chunk === undefined) throw new Fault("invalid", "The request body ended too early");
    held = Buffer.concat([held, chunk]);
    parsed = parse(held);
  }
  if (parsed.rest.length > 0) socket.unshift(parsed.rest);
  return parsed.body;
}

interface Parsed {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly rest: Buffer;
}

function parseFixed(held: Buffer, length: number): Parsed | undefined {
  if (!Number.isSafeInteger(length) || length < 0 || length > BODY_LIMIT)
    throw new Fault("invalid", "The Content-Length of the request is not acceptable");
  if (held.length < length) return undefined;
  return { body: Uint8Array.from(held.subarray(0, length)), rest: held.subarray(length) };
}

/** Source: RFC 9112, section 7.1. Trailers are skipped. */
export function parseChunked(held: Buffer): Parsed | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const eol = held.indexOf("\r\n", at);
    if (eol < 0) return undefined;
    const size = /^([0-9a-fA-F]{1,6})\s*(?:;.*)?$/.exec(held.toString("latin1", at, eol))?.[1];
    if (size === undefined) throw new Fault("invalid", "The chunked request body is malformed");
    const start = eol + 2;
    const length = Number.parseInt(size, 16);
    if (length === 0) {
      const end =
        held.toString("latin1", start, start + 2) === "\r\n" ? start : held.indexOf("\r\n\r\n", start) + 2;
      if (end < start || held.length < end + 2) return undefined;
      return { body: Uint8Array.from(Buffer.concat(parts)), rest: held.subarray(end + 2) };
    }
    if (held.length < start + length + 2) return undefined;
    parts.push(held.subarray(start, start + length));
    at = start + length + 2;
  }
}

/** The next bytes of a socket, which is left paused; undefined at its end. */
function nextChunk(socket: Socket): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const settle = (chunk?: Buffer) => {
    socket.pause();
    socket.off("data", settle).off("end", settle).off("close", settle);
    resolve(chunk);
  };
  socket.once("data", settle).once("end", settle).once("close", settle);
  socket.resume();
  return promise;
}

async function sendPlain(socket: Socket, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  response.headers.set("Content-Length", String(body.length));
  response.headers.set("Connection", "close");
  const head = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`HTTP/1.1 ${response.status} ${response.statusText || "Answer"}\r\n${head}\r\n`);
  socket.end(body);
  socket.resume();
}
