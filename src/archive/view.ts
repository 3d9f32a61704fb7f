import { z } from "zod";
import { Fault } from "#errors";
import { close, must, sealedMemoryFile, seek, selfCommand } from "#host";
import { failureOf, killer } from "./child.ts";
import { expand } from "./expand.ts";
import type { Resource } from "./packer.ts";
import type { Placing } from "./placing.ts";
import type { Looked, PutOptions } from "./serve-view.ts";

export type { Looked, PutOptions } from "./serve-view.ts";

/**
 * How a child process comes to have a container's root as its working directory: words before its own, and what it
 * finds on descriptor 3.
 */
export interface Entrance {
  readonly command: readonly string[];
  readonly plan: Uint8Array;
}

const LookedText = z.object({
  name: z.string(),
  size: z.number(),
  mode: z.number(),
  modified: z.string(),
  target: z.string(),
});
const NEWLINE = 10;
/** A name of 255 bytes and a path of 4095, written as JSON, are far below. */
const LINE_LIMIT = 64 * 1024;

/** What is at a path of a container, which must be absolute. Throws `not_found` and `invalid`. */
export async function lookInside(entrance: Entrance, path: string, signal?: AbortSignal): Promise<Looked> {
  const child = spawnInside(entrance, ["view-stat", path]);
  using _killed = killer(child, signal);
  const [text, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  signal?.throwIfAborted();
  if (code !== 0) throw failureOf(child, stderr);
  return LookedText.parse(JSON.parse(text));
}

export interface Packed extends AsyncDisposable {
  readonly looked: Looked;
  /** The archive. Leaving the loop early ends whoever makes it. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** What is at a path of a container, as an archive. Disposing the result ends whoever makes it. */
export async function packInside(entrance: Entrance, path: string, signal?: AbortSignal): Promise<Packed> {
  const child = spawnInside(entrance, ["view-get", path]);
  await using undo = new AsyncDisposableStack();
  undo.use(killer(child, signal));
  const output = piecesOf(child, signal);
  undo.defer(async () => void (await output.return(undefined)));
  const { line, rest } = await firstLine(output);
  const looked = LookedText.parse(JSON.parse(line));
  const owned = undo.move();
  return {
    looked,
    bytes: owning(owned, rest),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The whole tree, without itself, as an archive. */
export async function* packWhole(entrance: Entrance, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const child = spawnInside(entrance, ["view-export"]);
  using _killed = killer(child, signal);
  yield* piecesOf(child, signal);
}

/** Unpacks an archive into a directory of a container. Throws `invalid`, `not_found`, and what stops it on the way. */
export async function unpackInside(
  entrance: Entrance,
  request: {
    readonly path: string;
    readonly options: PutOptions;
    readonly source: AsyncIterable<Uint8Array>;
    readonly signal?: AbortSignal;
  },
): Promise<void> {
  const { path, options, source, signal } = request;
  const child = spawnInside(entrance, ["view-put", path, JSON.stringify(options)]);
  await feedThrough(child, { source: expand(source), signal });
}

/** Something of this machine as an archive. `entry` is a name in `directory`, or "" for itself. */
export async function* packLocal(directory: string, resource: Resource): AsyncGenerator<Uint8Array> {
  const words = ["internal:archive", "local-get", directory, JSON.stringify(resource)];
  const child = Bun.spawn(selfCommand(words), { stdio: ["ignore", "pipe", "pipe"] });
  using _killed = killer(child, undefined);
  yield* piecesOf(child, undefined);
}

/** Unpacks an archive into a directory of this machine, as the calling user, and never outside it. */
export async function unpackLocal(
  directory: string,
  { placing, source }: { readonly placing: Placing; readonly source: AsyncIterable<Uint8Array> },
): Promise<void> {
  const words = ["internal:archive", "local-put", directory, JSON.stringify(placing)];
  const child = Bun.spawn(selfCommand(words), { stdio: ["pipe", "pipe", "pipe"] });
  await feedThrough(child, { source, signal: undefined });
}

type Child = Bun.Subprocess<"pipe", "pipe", "pipe">;
type Reading = Pick<Child, "stdout" | "stderr" | "exited"> & Bun.Subprocess;

function spawnInside({ command, plan }: Entrance, words: readonly string[]): Child {
  const descriptor = sealedMemoryFile("bunker-view", plan);
  try {
    must(seek(descriptor, 0, 0), "rewind the view's plan");
    return Bun.spawn([...command, ...selfCommand(["internal:archive", ...words])], {
      stdio: ["pipe", "pipe", "pipe", descriptor],
      cwd: "/",
      env: {},
    });
  } finally {
    close(descriptor);
  }
}

async function* piecesOf(child: Reading, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  const stderr = child.stderr.text();
  for await (const chunk of child.stdout) yield chunk;
  const code = await child.exited;
  signal?.throwIfAborted();
  if (code !== 0) throw failureOf(child, await stderr);
}

async function firstLine(
  pieces: AsyncGenerator<Uint8Array>,
): Promise<{ readonly line: string; readonly rest: AsyncGenerator<Uint8Array> }> {
  let held = Buffer.alloc(0);
  for (;;) {
    const { value, done } = await pieces.next();
    if (done || held.length > LINE_LIMIT)
      throw new Fault("internal", "Cannot read the container's files: the child process said nothing");
    held = Buffer.concat([held, value]);
    const end = held.indexOf(NEWLINE);
    if (end >= 0) return { line: held.toString("utf8", 0, end), rest: after(held.subarray(end + 1), pieces) };
  }
}

async function* after(first: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first;
  yield* rest;
}

async function* owning(
  owned: AsyncDisposableStack,
  bytes: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  await using _owned = owned;
  yield* bytes;
}

/** Sends everything; a child that has ended knows best why, and a source that fails ends the child. */
async function feedThrough(
  child: Child,
  {
    source,
    signal,
  }: { readonly source: AsyncIterable<Uint8Array>; readonly signal: AbortSignal | undefined },
): Promise<void> {
  using _killed = killer(child, signal);
  let failure: unknown;
  const sending = send(child, source).catch((thrown) => {
    failure ??= thrown;
    if (child.exitCode === null) child.kill("SIGKILL");
  });
  const [stderr, code] = await Promise.all([child.stderr.text(), child.exited, child.stdout.text()]);
  signal?.throwIfAborted();
  if (code === 0) return;
  if (child.signalCode !== null) await sending;
  throw child.signalCode !== null && failure !== undefined ? failure : failureOf(child, stderr);
}

async function send(child: Child, source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of source) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.stdin.write(chunk);
    await child.stdin.flush();
  }
  await child.stdin.end();
}
