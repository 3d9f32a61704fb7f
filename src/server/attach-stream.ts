import type { Socket } from "node:net";
import { type Duplex, pipeline, Readable } from "node:stream";
import type { Context } from "hono";
import { isAtLeast } from "#api";
import { DetachFilter, parseDetachKeys } from "./detach-keys.ts";
import type { ServerEnv } from "./environment.ts";
import { Unframed } from "./unframed.ts";
import type { HeaderFields } from "./upgrade.ts";

const RAW = "application/vnd.docker.raw-stream";
const MULTIPLEXED = "application/vnd.docker.multiplexed-stream";
/** How long a client may go on sending after the output has ended, in milliseconds. */
const LINGER = 10_000;

/** Output of a process on its way to a client, and perhaps the client's input on its way back. */
export interface AttachedStream {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly detachKeys: string | undefined;
  /** What was said before, framed unless there is a terminal; goes out first. */
  readonly backlog?: AsyncIterable<Uint8Array>;
  /** The supervisor's socket, once the process runs; bytes from it are framed already. Undefined: only the backlog. */
  readonly open: Promise<Socket | undefined> | undefined;
  /** Called when the client goes before `open` has settled. */
  readonly cancel?: () => void;
  /** Where there is nothing to tell the outputs apart by. */
  readonly isUnframed?: boolean;
  /** The last frame, which goes out once all output is out. */
  readonly last?: Promise<Uint8Array>;
  /** Of the head of the reply, besides its usual ones. */
  readonly fields?: HeaderFields;
}

/** The content type of output, framed or raw, for this client. Source: Docker Engine API 1.42. */
export function streamType(version: string, tty: boolean): string {
  return !tty && isAtLeast(version, "1.42") ? MULTIPLEXED : RAW;
}

/**
 * Gives the connection to the stream. Where it cannot be taken over (a second request on one connection
 * that did not ask for an upgrade) the output is an ordinary reply, and input is the request's body.
 */
export function takeOver(c: Context<ServerEnv>, stream: AttachedStream): Response {
  // Whoever reads the stream learns of it; until then nobody may be listening.
  stream.open?.catch(() => undefined);
  stream.last?.catch(() => undefined);
  const keys = parseDetachKeys(stream.detachKeys);
  const asked = streamType(c.get("version"), stream.tty);
  const client = takenFrom(c, asked, stream.fields);
  if (client === undefined) return ordinaryReply(c, stream, asked);
  return joined(client, stream, keys);
}

function takenFrom(
  c: Context<ServerEnv>,
  contentType: string,
  fields: HeaderFields = [],
): Socket | undefined {
  const { hijack } = c.env;
  if (hijack?.protocol === undefined) return hijack?.take("200 OK", [["Content-Type", RAW]]);
  return hijack.take("101 UPGRADED", [
    ["Content-Type", contentType],
    ["Connection", "Upgrade"],
    ["Upgrade", hijack.protocol],
    ...fields,
  ]);
}

/** Gives a websocket to the stream: its messages are the bytes as they come, of whichever output. */
export function takeOverWebsocket(client: Duplex, stream: AttachedStream): Response {
  stream.open?.catch(() => undefined);
  return joined(client, { ...stream, isUnframed: true }, parseDetachKeys(stream.detachKeys));
}

function joined(client: Duplex, stream: AttachedStream, keys: readonly number[]): Response {
  void join(client, stream, keys).catch(() => leave(client, stream));
  return new Response(null);
}

async function join(client: Duplex, stream: AttachedStream, keys: readonly number[]): Promise<void> {
  const { open, cancel = () => {} } = stream;
  client.once("close", cancel);
  if (!stream.stdin) client.resume();
  for await (const bytes of backlogOf(stream)) await written(client, bytes);
  const process = await open;
  if (process === undefined) return leave(client, stream);
  client.off("close", cancel);
  if (client.destroyed) return void process.destroy();
  // It may have broken before anybody listened, and would say nothing more.
  if (process.destroyed) return leave(client, stream);
  process.on("error", () => process.destroy());
  client.once("close", () => process.destroy());
  // What an end leaves in the pipe goes out before; a connection that breaks has no end.
  process.once("close", () => process.readableEnded || void leave(client, stream));
  const output = stream.isUnframed && !stream.tty ? process.pipe(new Unframed()) : process;
  output.pipe(client, { end: false });
  output.once("end", () => void leave(client, stream));
  if (!stream.stdin) return;
  if (stream.tty) client.pipe(detachable(client, process, keys)).pipe(process);
  else client.pipe(process);
}

/** After the last output: with the frame that is waited for. */
async function leave(client: Duplex, { last }: AttachedStream): Promise<void> {
  const bytes = await last?.catch(() => undefined);
  if (bytes !== undefined && !client.writableEnded && !client.destroyed) client.write(bytes);
  farewell(client);
}

/** The way of the input through the detach keys: on them this client leaves, and the container goes on. */
function detachable(client: Duplex, process: Socket, keys: readonly number[]): DetachFilter {
  const filter = new DetachFilter(keys);
  filter.once("detach", () => {
    client.unpipe(filter);
    process.destroy();
    farewell(client);
  });
  return filter;
}

/**
 * Ends the output and closes once the client has done so too. Closing with input unread would make the
 * kernel reset the connection, and the client could lose the last of the output.
 */
function farewell(client: Duplex): void {
  if (client.writableEnded || client.destroyed) return;
  const close = () => {
    if (client.writableFinished) client.destroy();
    else client.once("finish", () => client.destroy());
  };
  client.end();
  client.unpipe();
  if (client.readableEnded) close();
  else closeOnceEnded(client, close);
}

function closeOnceEnded(client: Duplex, close: () => void): void {
  const linger = () => {
    const timer = setTimeout(() => client.destroy(), LINGER);
    timer.unref();
    client.once("close", () => clearTimeout(timer));
  };
  // A reader may take his time over the output.
  if (client.writableFinished) linger();
  else client.once("finish", linger);
  client.once("end", close);
  client.resume();
}

function backlogOf(stream: AttachedStream): AsyncIterable<Uint8Array> | readonly Uint8Array[] {
  const { backlog = [], tty, isUnframed = false } = stream;
  if (tty || !isUnframed) return backlog;
  return pipeline(Readable.from(backlog), new Unframed(), () => undefined);
}

/** Resolves once there is room for more; rejects when the client has gone. */
async function written(client: Duplex, bytes: Uint8Array): Promise<void> {
  if (client.destroyed) throw new Error("The client has gone");
  if (client.write(bytes)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  client.once("drain", resolve).once("close", resolve);
  await promise;
  client.off("drain", resolve).off("close", resolve);
}

function ordinaryReply(c: Context<ServerEnv>, stream: AttachedStream, contentType: string): Response {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  void copyOrdinary(c.req.raw.body, stream, writable).catch(() => undefined);
  return new Response(readable, { headers: { "Content-Type": contentType, Connection: "close" } });
}

async function copyOrdinary(
  input: ReadableStream<Uint8Array> | null,
  stream: AttachedStream,
  output: WritableStream<Uint8Array>,
): Promise<void> {
  const writer = output.getWriter();
  let process: Socket | undefined;
  try {
    for await (const bytes of stream.backlog ?? []) await writer.write(bytes);
    process = await stream.open;
    if (process === undefined) return;
    if (stream.stdin) void feed(input, process);
    for await (const chunk of process) await writer.write(chunk as Uint8Array);
  } finally {
    process?.destroy();
    await writer.close().catch(() => undefined);
  }
}

async function feed(input: ReadableStream<Uint8Array> | null, process: Socket): Promise<void> {
  try {
    for await (const chunk of input ?? []) await written(process, chunk);
    process.end();
  } catch {
    process.destroy();
  }
}
