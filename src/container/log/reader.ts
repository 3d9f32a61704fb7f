import { Changes } from "./changes.ts";
import { blocksOf, type OpenLog, openAll, openNext } from "./files.ts";
import type { LogFormat } from "./format.ts";
import { JSON_LOG } from "./json.ts";
import { LOCAL_LOG } from "./local.ts";
import { tailOffset } from "./tail.ts";
import { type LogWish, LogWriter } from "./writer.ts";

const FORMATS: Readonly<Record<LogLocation["format"], LogFormat>> = {
  "json-file": JSON_LOG,
  local: LOCAL_LOG,
};

/** A log that lies in files: `path`, and rotated ones beside it. */
export interface LogLocation {
  readonly format: "json-file" | "local";
  readonly path: string;
}

export interface LogQuery extends LogWish {
  /** The last so many messages only; absent: all. */
  readonly tail?: number;
  /** Go on until the log has ended: `isOver` says whether its last byte has been written, `ended` settles soon after. */
  readonly follow?: { readonly isOver: () => boolean; readonly ended: Promise<void> };
  readonly signal?: AbortSignal;
}

/**
 * The messages of a log in order, across rotated files, as a client gets them, many in a piece. What is written
 * while it reads is found again by inode, so that no rotation hides a message.
 */
export async function* readLog(location: LogLocation, query: LogQuery): AsyncGenerator<Uint8Array> {
  await using reader = await Reader.open(location, query);
  yield* reader.pieces();
}

/** How far a file has been read, and where to stop: who does not follow a busy log is to come to an end. */
interface Place {
  readonly file: OpenLog;
  readonly limit: number;
  offset: number;
}

const ENDLESS = Number.POSITIVE_INFINITY;
const NOTHING = Buffer.alloc(0);

/** Some of them are closed already. */
async function closeAll(files: readonly OpenLog[]): Promise<void> {
  await Promise.allSettled(files.map(({ handle }) => handle.close()));
}

class Reader implements AsyncDisposable {
  readonly #path: string;
  readonly #format: LogFormat;
  readonly #query: LogQuery;
  readonly #writer: LogWriter;
  /** Oldest first, each with the offset to begin at. */
  readonly #files: Place[] = [];
  readonly #changes: Changes | undefined;
  #rest: Buffer = NOTHING;

  private constructor({ path, format }: LogLocation, query: LogQuery) {
    this.#path = path;
    this.#format = FORMATS[format];
    this.#query = query;
    this.#writer = new LogWriter(query);
    this.#changes = query.follow === undefined ? undefined : new Changes(path);
  }

  static async open(location: LogLocation, query: LogQuery): Promise<Reader> {
    const reader = new Reader(location, query);
    await using undo = new AsyncDisposableStack();
    undo.defer(() => reader.#changes?.[Symbol.dispose]());
    const files = await openAll(location.path);
    undo.defer(() => closeAll(files));
    let missing = query.tail ?? ENDLESS;
    for (const file of files) {
      // What is older need not be looked at; a packed file would be unpacked for nothing.
      if (missing === 0 && reader.#files.length > 0) {
        await file.handle.close();
        continue;
      }
      const found =
        query.tail === undefined ? { offset: 0, missing } : await tailOffset(file, missing, reader.#format);
      missing = found.missing;
      const limit = query.follow === undefined && !file.isPacked ? (await file.handle.stat()).size : ENDLESS;
      reader.#files.unshift({ file, limit, offset: found.offset });
    }
    undo.move();
    return reader;
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    const { follow, signal } = this.#query;
    const notice = () => this.#changes?.notice();
    signal?.addEventListener("abort", notice, { once: true });
    void follow?.ended.then(notice);
    let current = this.#files.shift();
    try {
      while (!signal?.aborted && !this.#writer.isOver) {
        // Asked before reading: what was written before the end is read after it.
        const isOver = follow?.isOver() ?? true;
        if (current !== undefined) yield* this.#drain(current);
        const next = await this.#next(current?.file);
        if (next !== undefined) {
          // Now nothing more can come to the old file; before, it could have until it was renamed.
          if (current !== undefined) yield* this.#drain(current);
          await current?.file.handle.close();
          current = next;
          this.#rest = NOTHING;
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
    const file = await openNext(this.#path, current);
    return file === undefined ? undefined : { file, limit: ENDLESS, offset: 0 };
  }

  /** What lies between the place and the present end of the file. */
  async *#drain(place: Place): AsyncGenerator<Uint8Array> {
    if (place.offset === ENDLESS) return;
    await this.#settle(place);
    for await (const block of blocksOf(place.file, place)) {
      place.offset += block.length;
      this.#decode(block);
      const piece = this.#writer.take();
      if (piece !== undefined) yield piece;
      if (this.#query.signal?.aborted || this.#writer.isOver) return;
    }
    // It was read to its end, and no more will come to it.
    if (place.file.isPacked) place.offset = ENDLESS;
  }

  /** A file that somebody has cut short is read from its start again. */
  async #settle(place: Place): Promise<void> {
    if (place.file.isPacked || place.offset === 0 || place.limit !== ENDLESS) return;
    if ((await place.file.handle.stat()).size >= place.offset) return;
    place.offset = 0;
    this.#rest = NOTHING;
  }

  #decode(block: Buffer): void {
    const text = this.#rest.length === 0 ? block : Buffer.concat([this.#rest, block]);
    this.#writer.expect(text.length);
    let start = 0;
    for (let end = this.#format.next(text, 0, text.length); end !== undefined; ) {
      this.#format.decode(text, { start, end }, this.#writer);
      start = end;
      end = this.#format.next(text, start, text.length);
    }
    const left = text.length - start;
    // A copy: a reader that waits must not hold on to the whole block.
    this.#rest = left === 0 || left > this.#format.longest ? NOTHING : Buffer.from(text.subarray(start));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#changes?.[Symbol.dispose]();
    for (const { file } of this.#files.splice(0)) await file.handle.close();
  }
}
