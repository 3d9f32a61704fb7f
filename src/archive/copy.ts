import { z } from "zod";
import { selfCommand } from "#host";
import { failureOf, killer } from "./child.ts";
import type { CopyStyle } from "./copier.ts";

export interface CopyRequest {
  readonly from: string;
  readonly to: string;
  readonly style: CopyStyle;
  readonly signal?: AbortSignal;
}

const Done = z.object({ entries: z.number() });
const Measured = z.object({ bytes: z.number() });

/** Copies the content of a directory into another one, in a process that has the latter as its root. */
export async function copyTree({ from, to, style, signal }: CopyRequest): Promise<void> {
  Done.parse(await ask(["copy", from, to, style], signal));
}

/** Bytes of the files in a directory, each counted once. What vanishes meanwhile, or lies too deep for a path, does not count. */
export async function measureTree(directory: string, signal?: AbortSignal): Promise<number> {
  return Measured.parse(await ask(["measure", directory], signal)).bytes;
}

async function ask(words: readonly string[], signal: AbortSignal | undefined): Promise<unknown> {
  signal?.throwIfAborted();
  const child = Bun.spawn(selfCommand(["internal:archive", ...words, String(process.pid)]), {
    stdio: ["ignore", "pipe", "pipe"],
    env: {},
  });
  using _killed = killer(child, signal);
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  signal?.throwIfAborted();
  if (code !== 0) throw failureOf(child, stderr);
  return JSON.parse(stdout);
}
