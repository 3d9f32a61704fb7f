import { type BigIntStats, closeSync, constants, lstatSync, openSync, readdirSync } from "node:fs";
import { Fault } from "#errors";
import { changeRoot, endWithParent, must } from "#host";
import { Copier, type CopyStyle } from "./copier.ts";

const STYLES: readonly string[] = ["new", "merge"];

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
