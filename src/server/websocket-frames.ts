/** What a frame is. Source: RFC 6455, section 5.2. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const CONTROL = 8;
/** Bytes that a control frame may carry. */
const CONTROL_LIMIT = 125;
const PROTOCOL_ERROR = 1002;

/** A client that does not keep to the protocol. `code` is what the closing frame says. */
export class ProtocolError extends Error {
  readonly code = PROTOCOL_ERROR;
}

/** A frame as servers send them: unmasked. */
export function frame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const short = length < 126 ? length : length < 65_536 ? 126 : 127;
  const head = Buffer.alloc(short < 126 ? 2 : short === 126 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = short;
  if (short === 126) head.writeUInt16BE(length, 2);
  if (short === 127) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

/** Who hears of what comes. The bytes of a message come in as many pieces as they arrive in. */
export interface FrameListener {
  data(bytes: Buffer): void;
  ping(bytes: Buffer): void;
  close(): void;
}

interface Head {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly length: number;
  readonly mask: Uint8Array;
  readonly size: number;
}

/**
 * Reads a client's frames; of a frame no more is kept than a control frame's few bytes. Throws `ProtocolError`, and
 * after that or the frame that closes hears nothing more.
 */
export class FrameReader {
  readonly #listener: FrameListener;
  #held: Buffer = Buffer.alloc(0);
  #current: (Head & { position: number }) | undefined;
  #control: Buffer[] = [];
  /** Whether a message has begun whose last frame is still to come. */
  #isWithin = false;
  #isClosed = false;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  feed(chunk: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#read(chunk);
    } catch (thrown) {
      this.#isClosed = true;
      throw thrown;
    }
  }

  #read(chunk: Buffer): void {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    while (!this.#isClosed) {
      if (this.#current === undefined) {
        const head = parseHead(rest);
        if (head === undefined) break;
        this.#begin(head);
        rest = rest.subarray(head.size);
      }
      const taken = this.#payload(rest);
      if (taken === undefined) return;
      rest = rest.subarray(taken);
    }
    if (!this.#isClosed) this.#held = rest;
  }

  #begin(head: Head): void {
    const { opcode, isFinal, length } = head;
    const isControl = opcode >= CONTROL;
    const isKnown = (Object.values(OPCODE) as readonly number[]).includes(opcode);
    const isMisplaced = !isControl && (opcode === OPCODE.continuation) !== this.#isWithin;
    if (!isKnown || isMisplaced || (isControl && (!isFinal || length > CONTROL_LIMIT)))
      throw new ProtocolError("The frame has no place here");
    if (!isControl) this.#isWithin = !isFinal;
    this.#current = { ...head, position: 0 };
  }

  /** How many of the bytes belonged to the frame; undefined when it wants more. */
  #payload(bytes: Buffer): number | undefined {
    const current = this.#current;
    if (current === undefined) return 0;
    const { opcode, length, mask, position } = current;
    const part = unmasked(bytes.subarray(0, length - position), mask, position);
    current.position += part.length;
    if (opcode >= CONTROL) this.#control.push(part);
    else if (part.length > 0) this.#listener.data(part);
    if (current.position < length) return undefined;
    this.#current = undefined;
    if (opcode >= CONTROL) this.#obey(opcode);
    return part.length;
  }

  #obey(opcode: number): void {
    const bytes = Buffer.concat(this.#control);
    this.#control = [];
    if (opcode === OPCODE.ping) this.#listener.ping(bytes);
    if (opcode !== OPCODE.close) return;
    this.#isClosed = true;
    this.#listener.close();
  }
}

/** Undefined while the head is not whole. A client must mask, and use none of the bits that are kept for later. */
function parseHead(bytes: Buffer): Head | undefined {
  if (bytes.length < 2) return undefined;
  const [first = 0, second = 0] = bytes;
  if ((first & 0x70) !== 0 || (second & 0x80) === 0) throw new ProtocolError("The frame's head is malformed");
  const short = second & 0x7f;
  const size = (short === 127 ? 10 : short === 126 ? 4 : 2) + 4;
  if (bytes.length < size) return undefined;
  const length =
    short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  if (!Number.isSafeInteger(length)) throw new ProtocolError("The frame is too long");
  const mask = Uint8Array.from(bytes.subarray(size - 4, size));
  return { opcode: first & 0x0f, isFinal: (first & 0x80) !== 0, length, mask, size };
}

function unmasked(bytes: Buffer, mask: Uint8Array, position: number): Buffer {
  const plain = Buffer.allocUnsafe(bytes.length);
  for (let at = 0; at < bytes.length; at++) plain[at] = (bytes[at] ?? 0) ^ (mask[(position + at) & 3] ?? 0);
  return plain;
}
