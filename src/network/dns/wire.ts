/** Numbers of the DNS protocol. Source: RFC 1035, 3596, 6891. */
export const TYPE = { A: 1, PTR: 12, AAAA: 28, OPT: 41, IXFR: 251, AXFR: 252, ANY: 255 } as const;
export const CLASS = { internet: 1, any: 255 } as const;
export const RCODE = {
  success: 0,
  formatError: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
  /** The upper bits stand in the OPT record. */
  badVersion: 16,
} as const;
export const FLAG = {
  response: 0x8000,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  checkingDisabled: 0x0010,
} as const;
export const OPCODE_MASK = 0x7800;
export const RCODE_MASK = 0x000f;

export const HEADER_BYTES = 12;
/** What a client without EDNS takes over UDP. */
export const PLAIN_LIMIT = 512;
export const MAX_MESSAGE_BYTES = 65_535;
/** Type, class, time to live, data length. */
export const RECORD_FIXED_BYTES = 10;
/** OPT without options: the root's name before the fixed part. */
export const OPT_BYTES = 11;
export const DNSSEC_OK = 0x8000;
const MAX_NAME_BYTES = 255;
const POINTER = 0xc0;

export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value >> 8) & 0xff;
  bytes[at + 1] = value & 0xff;
}

/** Where the name at `at` ends, compressed or not. Undefined when it runs out of the message or is too long. */
export function skipName(bytes: Uint8Array, at: number): number | undefined {
  let place = at;
  while (place - at <= MAX_NAME_BYTES) {
    const length = bytes[place];
    if (length === undefined) return undefined;
    if (length === 0) return place + 1;
    // A pointer is the last part of a name: it is not followed, so none can lead in a circle.
    if ((length & POINTER) === POINTER) return place + 2 <= bytes.length ? place + 2 : undefined;
    if ((length & POINTER) !== 0) return undefined;
    place += length + 1;
  }
  return undefined;
}

export interface WireRecord {
  readonly type: number;
  /** Of an OPT record: the size it advertises. */
  readonly class: number;
  /** Where its fixed part starts. */
  readonly fixed: number;
  readonly end: number;
}

/** The record at `at`; undefined when it runs out of the message. */
export function recordAt(bytes: Uint8Array, at: number): WireRecord | undefined {
  const fixed = skipName(bytes, at);
  if (fixed === undefined || fixed + RECORD_FIXED_BYTES > bytes.length) return undefined;
  const end = fixed + RECORD_FIXED_BYTES + u16(bytes, fixed + 8);
  if (end > bytes.length) return undefined;
  return { type: u16(bytes, fixed), class: u16(bytes, fixed + 2), fixed, end };
}
