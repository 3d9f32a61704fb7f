import type { Transform } from "node:stream";
import { Fault } from "#errors";
import { compressionOf, damaged, decompressor } from "./decompress.ts";

/** Output comes in pieces of so many bytes, which the processor's cache holds until they are used. */
const PIECE_BYTES = 256 * 1024;
/** What a piece of input may be followed by, and what ends it. Source: zlib's manual, zstd's ZSTD_EndDirective. */
const FLUSH = { gzip: { more: 0, end: 4 }, zstd: { more: 0, end: 2 } } as const;
const NOTHING = Buffer.alloc(0);

/**
 * As `decompress`, but in the thread that asks and into one buffer: a piece holds until the next is asked for, and so
 * do the source's. Half the processor time of a stream's, which hands each piece to another thread and back in memory
 * of its own; for a process that has nothing else to do meanwhile.
 */
export async function* decompressInPlace(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let inflater: Inflater | "none" | undefined;
  for await (const chunk of source) {
    inflater ??= inflaterFor(chunk);
    if (inflater === "none") yield chunk;
    else yield* inflater.push(chunk);
  }
  if (inflater !== undefined && inflater !== "none") yield* inflater.end();
}

function inflaterFor(start: Buffer): Inflater | "none" {
  const compression = compressionOf(start);
  const stream = decompressor(compression);
  return compression === "none" || stream === undefined ? "none" : new Inflater(stream, FLUSH[compression]);
}

/** What node:zlib's streams do their work with; its stream alone is documented. Source: Node.js, lib/zlib.js. */
interface Engine {
  readonly _writeState: Uint32Array;
  readonly _handle: {
    onerror: (message: string, errno: number, code: string) => void;
    writeSync(
      flush: number,
      input: Buffer,
      inputAt: number,
      inputBytes: number,
      output: Buffer,
      outputAt: number,
      outputBytes: number,
    ): void;
  };
}

function isEngine(stream: Transform): stream is Transform & Engine {
  const { _handle: handle, _writeState: state } = stream as Transform & Partial<Engine>;
  return typeof handle?.writeSync === "function" && state instanceof Uint32Array;
}

class Inflater {
  readonly #engine: Engine;
  readonly #flush: { readonly more: number; readonly end: number };
  readonly #output = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #damage: string | undefined;
  /** Whatever follows the end of what was compressed is no part of it. */
  #isOver = false;

  constructor(stream: Transform, flush: { readonly more: number; readonly end: number }) {
    if (!isEngine(stream))
      throw new Fault("internal", "Cannot unpack the archive: node:zlib has another inside than expected");
    this.#engine = stream;
    this.#flush = flush;
    stream._handle.onerror = (message) => {
      this.#damage = message;
    };
  }

  push(input: Buffer): Generator<Buffer> {
    return this.#run(input, this.#flush.more);
  }

  end(): Generator<Buffer> {
    return this.#run(NOTHING, this.#flush.end);
  }

  *#run(input: Buffer, flush: number): Generator<Buffer> {
    const { _handle: handle, _writeState: state } = this.#engine;
    for (let at = 0; !this.#isOver; ) {
      const given = input.length - at;
      handle.writeSync(flush, input, at, given, this.#output, 0, PIECE_BYTES);
      if (this.#damage !== undefined) throw damaged(this.#damage);
      const [freeBytes = 0, leftBytes = 0] = state;
      at += given - leftBytes;
      if (freeBytes < PIECE_BYTES) yield this.#output.subarray(0, PIECE_BYTES - freeBytes);
      if (freeBytes === 0) continue;
      this.#isOver = leftBytes > 0;
      return;
    }
  }
}
