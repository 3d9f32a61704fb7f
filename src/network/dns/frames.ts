import { HEADER_BYTES, u16 } from "./wire.ts";

/** A message over TCP: its length before it. Source: RFC 1035, section 4.2.2. */
export function framed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + message.length);
  bytes[0] = message.length >> 8;
  bytes[1] = message.length & 0xff;
  bytes.set(message, 2);
  return bytes;
}

/** Cuts what comes over TCP into messages; holds one incomplete message at most. */
export class FrameReader {
  readonly #take: (message: Uint8Array) => void;
  readonly #maxBytes: number;
  #held: Uint8Array = new Uint8Array(0);

  constructor(take: (message: Uint8Array) => void, maxBytes: number) {
    this.#take = take;
    this.#maxBytes = maxBytes;
  }

  /** False when what comes is no DNS: nothing after it can be understood. */
  push(data: Uint8Array): boolean {
    let bytes = this.#held.length === 0 ? data : Buffer.concat([this.#held, data]);
    while (bytes.length >= 2) {
      const length = u16(bytes, 0);
      if (length < HEADER_BYTES || length > this.#maxBytes) return false;
      if (bytes.length < 2 + length) break;
      this.#take(bytes.subarray(2, 2 + length));
      bytes = bytes.subarray(2 + length);
    }
    // A copy: what was received is the socket's, and may be much longer.
    this.#held = new Uint8Array(bytes);
    return true;
  }
}
