import { Changes } from "./changes.ts";
import { type LogEntry, parseEntry } from "./entry.ts";
import { type OpenLog, openAll, openNext } from "./files.ts";
import { tailOffset } from "./tail.ts";

const BLOCK = 64 * 1024;
/** A longer line is no entry of ours: the supervisor cuts messages at 16 KiB. */
const LONGEST_LINE = 1024 * 1024;
const NEWLINE = 0x0a;

/** Times in nanoseconds since the epoch. */
export interface LogQuery {
  readonly since?: bigint;
  readonly until?: bigint;
  /** The last so many messages only; absent: all. */
  readonly tail?: number;
  /** Go on until the log has ended: `isOver` says whether its last byte has been written, `end` settles soon after. */
  readonly follow?: { readonly isOver: () => boolean; readonly ended: Promise<void> };
  readonly signal?: AbortSignal;
}

/**
 * The messages of a json-file log in order, across rotated files. What is written while it reads is found again
 * by inode, so that no rotation hides a message.
 */
export async function* readLog(path: string, query: LogQuery): AsyncGenerator<LogEntry> {
  await using reader = await Reader.open(path, query);
  for await (const line of reader.lines()) {
    const entry = parseEntry(line);
    if (entry === undefined || (query.since !== undefined && entry.time < query.since)) continue;
    if (query.until !== undefined && entry.time > query.until) return;
    yield entry;
  }
}

/** How far a file has been read, and where to stop: who does not follow a busy log is to come to an end. */
interface Place {
  readonly file: OpenLog;
  readonly limit: number;
  offset: number;
}

class Reader implements AsyncDisposable {
  readonly #path: string;
  readonly #query: LogQuery;
  /** Oldest first, each with the offset to begin at. */
  readonly #files: Place[] = [];
  readonly #changes: Changes | undefined;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(path: string, query: LogQuery) {
    this.#path = path;
    this.#query = query;
    this.#changes = query.follow === undefined ? undefined : new Changes(path);
  }

  static async open(path: string, query: LogQuery): Promise<Reader> {
    const reader = new Reader(path, query);
    let missing = query.tail ?? Number.POSITIVE_INFINITY;
    for (const file of await openAll(path)) {
      const found =
        query.tail === undefined ? { offset: 0, missing } : await tailOffset(file.handle, missing);
      missing = found.missing;
      const limit = query.follow === undefined ? (await file.handle.stat()).size : Number.POSITIVE_INFINITY;
      reader.#files.unshift({ file, limit, offset: found.offset });
    }
    return reader;
  }

  async *lines(): AsyncGenerator<Uint8Array> {
    const { follow, signal } = this.#query;
    const notice = () => this.#changes?.notice();
    signal?.addEventListener("abort", notice, { once: true });
    void follow?.ended.then(notice);
    let current = this.#files.shift();
    try {
      while (!signal?.aborted) {
        // Asked before reading: what was written before the end is read after it.
        const isOver = follow?.isOver() ?? true;
        if (current !== undefined) yield* this.#drain(current);
        const next = await this.#next(current?.file);
        if (next !== undefined) {
          // Now nothing more can come to the old file; before, it could have until it was renamed.
          if (current !== undefined) yield* this.#drain(current);
          await current?.file.handle.close();
          current = next;
          this.#rest = Buffer.alloc(0);
        } else if (isOver) return;
        else await this.#changes?.next();
      }
    } finally {
      signal?.removeEventListener("abort", notice);
      await current?.file.handle.close();
    }
  }

  async #next(current: OpenLog | undefined): Promise<Place | undefined> {
    const opened = this.#files.shift();
    if (opened !== undefined || this.#query.follow === undefined) return opened;
    const file = await openNext(this.#path, current?.inode);
    return file === undefined ? undefined : { file, limit: Number.POSITIVE_INFINITY, offset: 0 };
  }

  /** The lines from the place to the present end of the file. */
  async *#drain(place: Place): AsyncGenerator<Uint8Array> {
    for (;;) {
      const block = Buffer.allocUnsafe(BLOCK);
      const length = Math.min(BLOCK, place.limit - place.offset);
      const { bytesRead } = await place.file.handle.read(block, 0, length, place.offset);
      if (bytesRead === 0) return;
      place.offset += bytesRead;
      yield* this.#split(block.subarray(0, bytesRead));
    }
  }

  *#split(block: Buffer): Generator<Uint8Array> {
    const text = this.#rest.length === 0 ? block : Buffer.concat([this.#rest, block]);
    let start = 0;
    for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE, start)) {
      yield text.subarray(start, end);
      start = end + 1;
    }
    this.#rest = text.length - start > LONGEST_LINE ? Buffer.alloc(0) : text.subarray(start);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#changes?.[Symbol.dispose]();
    for (const { file } of this.#files.splice(0)) await file.handle.close();
  }
}
