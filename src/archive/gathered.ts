/** An archive is handed on in pieces of this size. */
const PIECE_BYTES = 512 * 1024;

/** One piece of an archive after the other, all in the same memory: each holds until the next one is asked for. */
export class Gathered {
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #filled = 0;

  /** What is there when the piece is full; then it begins anew. */
  *put(bytes: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === PIECE_BYTES) yield this.cut();
      const part = bytes.subarray(at, at + PIECE_BYTES - this.#filled);
      this.#piece.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
    }
  }

  /** So many bytes, in as many calls as it takes: `fill` says how many of those that it was given it has filled. */
  *fill(length: number, fill: (space: Buffer, done: number) => number): Generator<Uint8Array> {
    for (let done = 0; done < length; ) {
      if (this.#filled === PIECE_BYTES) yield this.cut();
      const filled = fill(this.#piece.subarray(this.#filled, this.#filled + length - done), done);
      this.#filled += filled;
      done += filled;
    }
  }

  /** What there is by now. */
  cut(): Uint8Array {
    const piece = this.#piece.subarray(0, this.#filled);
    this.#filled = 0;
    return piece;
  }
}
