import { dlopen } from "bun:ffi";
import { readFileSync } from "node:fs";

const { symbols: libc } = dlopen("libc.so.6", {
  madvise: { args: ["u64", "u64", "i32"], returns: "i32" },
});

/** Source: madvise(2). Pages of a private mapping of a file that were not written are read again when they are used. */
const MADV_DONTNEED = 4;

/**
 * Gives back what a process that has nothing to do need not hold: garbage, compiled code, and the pages of its
 * own program, which stay in the kernel's cache. Takes some ten milliseconds, and the next requests a few more.
 */
export function releaseMemory(): void {
  Bun.gc(true);
  Bun.shrink();
  for (const { start, length } of programText(readFileSync("/proc/self/maps", "utf8")))
    libc.madvise(start, length, MADV_DONTNEED);
}

/** The parts of the program's own file that are code, and so cannot have been written to. Source: proc(5), maps. */
export function programText(
  maps: string,
  program = process.execPath,
): { readonly start: number; readonly length: number }[] {
  return maps.split("\n").flatMap((line) => {
    const [, from = "", to = "", path] =
      /^([0-9a-f]+)-([0-9a-f]+) r-xp [0-9a-f]+ \S+ \d+ +(.*)$/.exec(line) ?? [];
    const start = Number.parseInt(from, 16);
    return path === program ? [{ start, length: Number.parseInt(to, 16) - start }] : [];
  });
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
