/** How much a check's output may take up. Source: Docker, "docker inspect", State.Health. */
const KEPT_BYTES = 4096;
const HEADER_BYTES = 8;
const CUT = "...";

/** The beginning of what a check writes, on both streams as it comes, out of Docker's frames. */
export class CheckOutput {
  readonly #kept = Buffer.alloc(KEPT_BYTES);
  #length = 0;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerLength = 0;
  /** Of the frame that is being read. */
  #left = 0;
  #isCut = false;

  /** False when no more is wanted. */
  push(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length && !this.#isCut; ) {
      if (this.#left === 0) {
        at += this.#takeHeader(bytes.subarray(at));
        continue;
      }
      const piece = bytes.subarray(at, at + this.#left);
      this.#keep(piece);
      this.#left -= piece.length;
      at += piece.length;
    }
    return !this.#isCut;
  }

  get text(): string {
    return this.#kept.toString("utf8", 0, this.#length) + (this.#isCut ? CUT : "");
  }

  /** Returns how much of it belongs to the header. */
  #takeHeader(bytes: Uint8Array): number {
    const part = bytes.subarray(0, HEADER_BYTES - this.#headerLength);
    this.#header.set(part, this.#headerLength);
    this.#headerLength += part.length;
    if (this.#headerLength === HEADER_BYTES) {
      this.#left = this.#header.readUInt32BE(4);
      this.#headerLength = 0;
    }
    return part.length;
  }

  #keep(piece: Uint8Array): void {
    const part = piece.subarray(0, KEPT_BYTES - this.#length);
    this.#kept.set(part, this.#length);
    this.#length += part.length;
    this.#isCut = part.length < piece.length;
  }
}
