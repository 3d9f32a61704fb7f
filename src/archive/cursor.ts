import { Fault } from "#errors";

/** A parser that yields when it needs the next chunk and is resumed with it, or with nothing at the end. */
export type Parsing<T> = Generator<void, T, Buffer | undefined>;

/**
 * The bytes of a stream in the order a parser wants them, copied only where a wish spans two chunks. A chunk need not
 * hold longer than until the next one: what is asked for in one piece is used before more is.
 */
export class Cursor {
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;

  /** As `take`, where the chunk has all of it: that is most of the time, and no generator has to be made then. */
  grab(length: number): Buffer | undefined {
    return this.#chunk.length - this.#at < length ? undefined : this.#cut(length);
  }

  /** Exactly so many bytes; undefined when the stream ends before the first of them. */
  *take(length: number): Parsing<Buffer | undefined> {
    if (this.#chunk.length - this.#at >= length) return this.#cut(length);
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      const part = this.#cut(Math.min(missing, this.#chunk.length - this.#at));
      missing -= part.length;
      if (part.length > 0) parts.push(missing === 0 ? part : Buffer.from(part));
      if (missing === 0 || (yield* this.#next())) continue;
      if (parts.length === 0) return undefined;
      throw truncated();
    }
    return Buffer.concat(parts);
  }

  /** Hands on so many bytes in pieces. */
  *pass(length: number, deliver: (bytes: Buffer, done: number) => void): Parsing<void> {
    for (let done = 0; done < length; ) {
      const part = this.#cut(Math.min(length - done, this.#chunk.length - this.#at));
      if (part.length > 0) deliver(part, done);
      done += part.length;
      if (done < length && !(yield* this.#next())) throw truncated();
    }
  }

  *#next(): Parsing<boolean> {
    const chunk = yield;
    if (chunk === undefined) return false;
    this.#chunk = chunk;
    this.#at = 0;
    return true;
  }

  #cut(length: number): Buffer {
    const part = this.#chunk.subarray(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }
}

export function truncated(): Fault {
  return new Fault("invalid", "Cannot read the archive: it ends in the middle of an entry");
}
