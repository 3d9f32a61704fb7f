/** Constants of linux/netlink.h and linux/rtnetlink.h. */
export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_DUMP = 0x300;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

/** struct nlmsghdr and struct nlattr. */
const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
/** No request of ours comes near this. */
const MAX_MESSAGE_BYTES = 2048;

export type NetlinkAttributes = ReadonlyMap<number, Uint8Array>;

const align = (bytes: number): number => (bytes + 3) & ~3;
const encoder = new TextEncoder();

/**
 * One netlink request: struct nlmsghdr, a fixed body, attributes, all in the machine's byte order (little endian
 * on every machine bunker is built for). Source: netlink(7), rtnetlink(7).
 */
export class NetlinkMessage {
  readonly #bytes = new Uint8Array(MAX_MESSAGE_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #length = HEADER_BYTES;

  constructor(type: number, flags: number) {
    this.#view.setUint16(4, type, true);
    this.#view.setUint16(6, flags, true);
    this.#view.setUint32(8, 1, true);
  }

  /** Fields of a fixed body, each [width in bytes, value]. Returns the offset of the first. */
  fields(...fields: readonly (readonly [1 | 2 | 4, number])[]): number {
    const start = this.#length;
    for (const [width, value] of fields) {
      if (width === 1) this.#view.setUint8(this.#length, value);
      else if (width === 2) this.#view.setUint16(this.#length, value, true);
      else this.#view.setUint32(this.#length, value, true);
      this.#length += width;
    }
    return start;
  }

  /** Returns the offset of the value, where a patch may be put. */
  attribute(type: number, value: Uint8Array): number {
    const start = this.#length + ATTRIBUTE_HEADER_BYTES;
    this.#view.setUint16(this.#length, ATTRIBUTE_HEADER_BYTES + value.length, true);
    this.#view.setUint16(this.#length + 2, type, true);
    this.#bytes.set(value, start);
    this.#length = start + align(value.length);
    return start;
  }

  number(type: number, value: number): number {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return this.attribute(type, bytes);
  }

  /** A string with its closing zero. */
  text(type: number, value: string): number {
    return this.attribute(type, encoder.encode(`${value}\0`));
  }

  nested(type: number, fill: () => void): void {
    const start = this.#length;
    this.#view.setUint16(start + 2, type | NLA_F_NESTED, true);
    this.#length += ATTRIBUTE_HEADER_BYTES;
    fill();
    this.#view.setUint16(start, this.#length - start, true);
  }

  finish(): Uint8Array {
    this.#view.setUint32(0, this.#length, true);
    return this.#bytes.slice(0, this.#length);
  }
}

/** The attributes that start at `offset`; a malformed one ends the walk. Of a repeated type the last one counts. */
export function readAttributes(bytes: Uint8Array, offset = 0): NetlinkAttributes {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = new Map<number, Uint8Array>();
  let at = offset;
  while (at + ATTRIBUTE_HEADER_BYTES <= bytes.length) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > bytes.length) break;
    const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    found.set(type, bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length));
    at += align(length);
  }
  return found;
}

export interface ReceivedMessage {
  readonly type: number;
  readonly flags: number;
  /** What follows struct nlmsghdr. */
  readonly body: Uint8Array;
}

/** The messages of one datagram; a malformed one ends the walk. */
export function* readMessages(datagram: Uint8Array): Generator<ReceivedMessage> {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  let at = 0;
  while (at + HEADER_BYTES <= datagram.length) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > datagram.length) return;
    yield {
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      body: datagram.subarray(at + HEADER_BYTES, at + length),
    };
    at += align(length);
  }
}

export function readNumber(bytes: Uint8Array | undefined, offset = 0): number | undefined {
  if (bytes === undefined || bytes.length < offset + 4) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
}

export function readText(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return "";
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
