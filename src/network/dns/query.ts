import {
  DNSSEC_OK,
  FLAG,
  HEADER_BYTES,
  OPCODE_MASK,
  PLAIN_LIMIT,
  RCODE,
  recordAt,
  TYPE,
  u16,
} from "./wire.ts";

/** What a client said of itself in an OPT record. */
export interface Edns {
  /** The largest answer it takes over UDP, at least 512. */
  readonly size: number;
  readonly version: number;
  readonly isDnssecOk: boolean;
}

export interface Query {
  readonly id: number;
  readonly flags: number;
  /** Lower case, without the closing dot; undefined when a label has a dot or is not ASCII: no name of ours has. */
  readonly name: string | undefined;
  readonly type: number;
  readonly class: number;
  /** Where the question ends; it starts behind the header. */
  readonly questionEnd: number;
  readonly edns: Edns | undefined;
  /** Header, question and what belongs to them, without what followed. */
  readonly message: Uint8Array;
}

export type ParsedQuery =
  | { readonly kind: "query"; readonly query: Query }
  | { readonly kind: "refuse"; readonly rcode: number }
  /** Nothing is answered: what is too short for a header, and answers, or two servers could talk for ever. */
  | { readonly kind: "ignore" };

const IGNORED: ParsedQuery = { kind: "ignore" };
const MALFORMED: ParsedQuery = { kind: "refuse", rcode: RCODE.formatError };
const QUESTION_FIXED_BYTES = 4;
const LONGEST_LABEL = 63;
const MAX_NAME_BYTES = 255;

/** Format: RFC 1035, section 4.1; a question's name has nothing before it to point to, so it is never compressed. */
export function parseQuery(bytes: Uint8Array): ParsedQuery {
  if (bytes.length < HEADER_BYTES) return IGNORED;
  const flags = u16(bytes, 2);
  if ((flags & FLAG.response) !== 0) return IGNORED;
  if ((flags & OPCODE_MASK) !== 0) return { kind: "refuse", rcode: RCODE.notImplemented };
  if (u16(bytes, 4) !== 1) return MALFORMED;
  const nameEnd = endOfPlainName(bytes, HEADER_BYTES);
  if (nameEnd === undefined || nameEnd + QUESTION_FIXED_BYTES > bytes.length) return MALFORMED;
  const questionEnd = nameEnd + QUESTION_FIXED_BYTES;
  const rest = readRest(bytes, questionEnd);
  if (rest === undefined) return MALFORMED;
  return {
    kind: "query",
    query: {
      id: u16(bytes, 0),
      flags,
      name: readName(bytes, nameEnd),
      type: u16(bytes, nameEnd),
      class: u16(bytes, nameEnd + 2),
      questionEnd,
      edns: rest.edns,
      message: rest.end === bytes.length ? bytes : bytes.subarray(0, rest.end),
    },
  };
}

function endOfPlainName(bytes: Uint8Array, start: number): number | undefined {
  let at = start;
  while (at - start < MAX_NAME_BYTES) {
    const length = bytes[at];
    if (length === undefined || length > LONGEST_LABEL) return undefined;
    if (length === 0) return at + 1;
    at += length + 1;
  }
  return undefined;
}

/** The name between the header and `end`. */
function readName(bytes: Uint8Array, end: number): string | undefined {
  let name = "";
  let at = HEADER_BYTES;
  while (at < end - 1) {
    const labelEnd = at + 1 + (bytes[at] ?? 0);
    if (at > HEADER_BYTES) name += ".";
    for (at += 1; at < labelEnd; at += 1) {
      const code = bytes[at] ?? 0;
      if (code === 0x2e || code > 0x7e || code <= 0x20) return undefined;
      name += String.fromCharCode(code >= 0x41 && code <= 0x5a ? code + 32 : code);
    }
  }
  return name;
}

/** Looks for the OPT record among the records that follow the question. */
function readRest(bytes: Uint8Array, start: number): { edns: Edns | undefined; end: number } | undefined {
  const count = u16(bytes, 6) + u16(bytes, 8) + u16(bytes, 10);
  const additional = u16(bytes, 6) + u16(bytes, 8);
  let edns: Edns | undefined;
  let at = start;
  // Each record takes at least eleven bytes, so a message bounds its own walk, whatever it counts.
  for (let index = 0; index < count; index += 1) {
    const record = recordAt(bytes, at);
    if (record === undefined) return undefined;
    if (record.type === TYPE.OPT) {
      if (edns !== undefined || index < additional || bytes[at] !== 0) return undefined;
      edns = {
        size: Math.max(record.class, PLAIN_LIMIT),
        version: bytes[record.fixed + 5] ?? 0,
        isDnssecOk: (u16(bytes, record.fixed + 6) & DNSSEC_OK) !== 0,
      };
    }
    at = record.end;
  }
  return { edns, end: at };
}
