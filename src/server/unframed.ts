import { Transform } from "node:stream";

const HEAD_BYTES = 8;

/** Docker's frames taken off again: the bytes of standard output and standard error as they came. */
export class Unframed extends Transform {
  #head: Buffer = Buffer.alloc(0);
  /** Bytes of the current frame that are still to come. */
  #left = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    for (let rest = chunk; rest.length > 0; ) {
      const part = rest.subarray(0, this.#left === 0 ? HEAD_BYTES - this.#head.length : this.#left);
      rest = rest.subarray(part.length);
      if (this.#left === 0) this.#addToHead(part);
      else {
        this.#left -= part.length;
        this.push(part);
      }
    }
    done();
  }

  #addToHead(part: Buffer): void {
    this.#head = Buffer.concat([this.#head, part]);
    if (this.#head.length < HEAD_BYTES) return;
    this.#left = this.#head.readUInt32BE(4);
    this.#head = Buffer.alloc(0);
  }
}
