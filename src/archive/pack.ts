import { selfCommand } from "#host";
import { failureOf, killer } from "./child.ts";
import type { PackStyle } from "./packer.ts";

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
