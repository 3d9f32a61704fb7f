import { selfCommand } from "#host";
import { type Digest, isDigest } from "#oci";
import { failureOf, killer, QUICK_START } from "./child.ts";
import { lines } from "./input.ts";
import type { Listed, PackStyle } from "./packer.ts";

export interface PackRequest {
  readonly directory: string;
  readonly style: PackStyle;
  readonly signal?: AbortSignal;
}

/**
 * A directory as an uncompressed tar archive, read by a child process that has it as its root. Throws when a
 * file cannot be read; leaving the loop early ends the child.
 */
export async function* pack({ directory, style, signal }: PackRequest): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  const child = Bun.spawn(selfCommand(["internal:archive", "pack", directory, style]), {
    stdio: ["ignore", "pipe", "pipe"],
    env: {},
  });
  using _killed = killer(child, signal);
  const stderr = child.stderr.text();
  for await (const chunk of child.stdout) yield chunk;
  const code = await child.exited;
  signal?.throwIfAborted();
  if (code !== 0) throw failureOf(child, await stderr);
}

export interface LayerRequest {
  readonly directory: string;
  /** Sorted by path. Without it the directory is an overlay's upper one. */
  readonly changes?: readonly Listed[];
  /** An open file. */
  readonly descriptor: number;
  readonly signal?: AbortSignal;
}

/**
 * Writes what differs from another tree into a file, as a layer, tells how many bytes are there by now, and returns the
 * digest of all of them. No other process than the child that reads the directory touches them. Throws when a file
 * cannot be read; leaving the loop early ends the child.
 */
export async function* packLayer(request: LayerRequest): AsyncGenerator<number, Digest> {
  const { directory, changes, descriptor, signal } = request;
  signal?.throwIfAborted();
  const list = changes?.map((change) => `${JSON.stringify(change)}\n`).join("");
  const form = list === undefined ? "overlay" : "list";
  const child = Bun.spawn(selfCommand(["internal:archive", "pack-layer", directory, form]), {
    stdio: [list === undefined ? "ignore" : Buffer.from(list), "pipe", "pipe", descriptor],
    env: QUICK_START,
  });
  using _killed = killer(child, signal);
  const stderr = child.stderr.text();
  let digest: Digest | undefined;
  for await (const line of lines(child.stdout))
    if (isDigest(line)) digest = line;
    else yield Number(line);
  const code = await child.exited;
  signal?.throwIfAborted();
  if (code !== 0 || digest === undefined) throw failureOf(child, await stderr);
  return digest;
}
