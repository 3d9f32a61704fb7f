import { selfCommand } from "#host";
import { failureOf, killer } from "./child.ts";
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

/**
 * What differs from another tree, by a list of paths that is sorted, as a layer. Throws when a file cannot be read;
 * leaving the loop early ends the child.
 */
export async function* packListed({
  directory,
  changes,
  signal,
}: {
  readonly directory: string;
  readonly changes: readonly Listed[];
  readonly signal?: AbortSignal;
}): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  const list = changes.map((change) => `${JSON.stringify(change)}\n`).join("");
  const child = Bun.spawn(selfCommand(["internal:archive", "pack-list", directory]), {
    stdio: [Buffer.from(list), "pipe", "pipe"],
    env: {},
  });
  using _killed = killer(child, signal);
  const stderr = child.stderr.text();
  for await (const chunk of child.stdout) yield chunk;
  const code = await child.exited;
  signal?.throwIfAborted();
  if (code !== 0) throw failureOf(child, await stderr);
}
