import { type BigIntStats, closeSync, constants, lstatSync, openSync, readdirSync } from "node:fs";
import { z } from "zod";
import { Fault } from "#errors";
import { changeRoot, endWithParent, must, selfCommand } from "#host";
import { failureOf, killer } from "./child.ts";
import { Copier, type CopyStyle } from "./copier.ts";

export interface CopyRequest {
  readonly from: string;
  readonly to: string;
  readonly style: CopyStyle;
  readonly signal?: AbortSignal;
}

const STYLES: readonly string[] = ["new", "merge"];
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

/** `copy FROM TO STYLE PARENT`. */
export function serveCopy([from = "", to = "", style = "", parent = ""]: readonly string[]): {
  readonly entries: number;
} {
  endWithParent(Number(parent));
  if (!isStyle(style)) throw new Fault("invalid", `Cannot copy: "${style}" is no way to copy a tree`);
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const [source, target] = [openSync(from, flags), openSync(to, flags)];
  try {
    must(changeRoot(to), `enter ${to}`);
    return { entries: new Copier(target, style).copy(source) };
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

function isStyle(style: string): style is CopyStyle {
  return STYLES.includes(style);
}

/** `measure DIRECTORY PARENT`. */
export function serveMeasure([directory = "", parent = ""]: readonly string[]): { readonly bytes: number } {
  endWithParent(Number(parent));
  must(changeRoot(directory), `enter ${directory}`);
  const seen = new Set<bigint>();
  let bytes = 0n;
  const pending: Buffer[] = [Buffer.from(".")];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    for (const name of namesOf(path)) {
      const inner = Buffer.concat([path, Buffer.from("/"), name]);
      const stats = lookOrNothing(inner);
      if (stats === undefined) continue;
      if (stats.isDirectory()) pending.push(inner);
      else if (stats.nlink === 1n || !seen.has(stats.ino)) bytes += stats.size;
      if (stats.nlink > 1n) seen.add(stats.ino);
    }
  }
  return { bytes: Number(bytes) };
}

function lookOrNothing(path: Buffer): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function namesOf(path: Buffer): readonly Buffer[] {
  try {
    return readdirSync(path, { encoding: "buffer" }).map((name) => Buffer.from(name));
  } catch {
    return [];
  }
}
