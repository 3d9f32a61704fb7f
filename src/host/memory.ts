import { dlopen } from "bun:ffi";
import { readFileSync } from "node:fs";
import { cleanPayload, type Part } from "./payload.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  madvise: { args: ["u64", "u64", "i32"], returns: "i32" },
});

/** Source: madvise(2). Pages of a private mapping of a file that were not written are read again when they are used. */
const MADV_DONTNEED = 4;
const SETTLING_MILLISECONDS = 1500;
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) (r[-w][-x]p) [0-9a-f]+ \S+ \d+ +(.*)$/;

/**
 * Gives back what a process that has nothing to do need not hold: garbage, compiled code, and the pages of its
 * own program, which stay in the kernel's cache. Takes some ten milliseconds, and the next requests a few more.
 */
export function releaseMemory(): void {
  Bun.gc(true);
  Bun.shrink();
  dropProgram();
  // Giving back has itself called some megabytes of code in again.
  setTimeout(dropProgram, SETTLING_MILLISECONDS).unref();
}

function dropProgram(): void {
  const parts = [...unwrittenParts(readFileSync("/proc/self/smaps", "utf8")), ...cleanPayload()];
  for (const { start, length } of parts) libc.madvise(start, length, MADV_DONTNEED);
}

/**
 * The parts of the program's own file that cannot be written to, and were not before they were closed for writing
 * (as relocated tables are): what they hold is what the file holds. Source: proc(5), smaps.
 */
export function unwrittenParts(smaps: string, program = process.execPath): Part[] {
  const parts: Part[] = [];
  let current: Part | undefined;
  for (const line of smaps.split("\n")) {
    const [, from, to, access, path] = MAPPING.exec(line) ?? [];
    if (from !== undefined && to !== undefined) {
      const start = Number.parseInt(from, 16);
      const isOurs = path === program && access !== undefined && !access.includes("w");
      current = isOurs ? { start, length: Number.parseInt(to, 16) - start } : undefined;
    } else if (current !== undefined && /^Anonymous: +0 kB$/.test(line)) parts.push(current);
  }
  return parts;
}

/** Calls `rest` when nothing has been touched for so many milliseconds. While nothing happens no timer runs. */
export class Quiet implements Disposable {
  readonly #milliseconds: number;
  readonly #rest: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isTouched = false;

  constructor(milliseconds: number, rest: () => void) {
    this.#milliseconds = milliseconds;
    this.#rest = rest;
  }

  touch(): void {
    this.#isTouched = true;
    this.#timer ??= this.#wait();
  }

  #wait(): NodeJS.Timeout {
    this.#isTouched = false;
    return setTimeout(() => this.#look(), this.#milliseconds).unref();
  }

  #look(): void {
    this.#timer = this.#isTouched ? this.#wait() : undefined;
    if (this.#timer === undefined) this.#rest();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
