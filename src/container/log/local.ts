import type { LogFormat } from "./format.ts";
import { type Attributes, type Moment, momentOf, STDERR, STDOUT } from "./writer.ts";

const FRAME = 4;
const NEWLINE = 0x0a;
/** Tags of the fields. Source: moby, logdriver/entry.proto; protobuf, "Encoding". */
const SOURCE = 0x0a;
const TIME = 0x10;
const LINE = 0x1a;
const PART = 0x2a;
const ATTRIBUTE = 0x32;
const PART_LAST = 0x08;
const KEY = 0x0a;
const VALUE = 0x12;
const LENGTH_DELIMITED = 2;
const LETTER_E = 0x65;

/** Docker's `local`: each entry a protobuf between two copies of its length (u32, big endian). */
export const LOCAL_LOG: LogFormat = {
  isLine: false,
  longest: 1_000_000,

  next(bytes, at, end) {
    if (end - at < FRAME) return undefined;
    const after = at + 2 * FRAME + bytes.readUInt32BE(at);
    return after > end ? undefined : after;
  },

  previous(bytes, end) {
    const start = end < FRAME ? -1 : end - 2 * FRAME - bytes.readUInt32BE(end - FRAME);
    return start < 0 ? undefined : start;
  },

  partOf(bytes, start, end) {
    const entry = readEntry(bytes, start + FRAME, end - FRAME);
    return { stream: entry.stream, isLast: isWhole(entry), isFirst: !entry.isPart };
  },

  decode(bytes, { start, end }, writer) {
    const entry = readEntry(bytes, start + FRAME, end - FRAME);
    const attributes = writer.needsAttributes ? attributesOf(bytes, entry.attributes) : undefined;
    const length = entry.lineEnd - entry.lineStart;
    const time = writer.needsTime ? timeAt(bytes, entry.timeAt) : undefined;
    const at = writer.begin(length + 1, time, attributes);
    if (at < 0) return;
    bytes.copy(writer.out, at, entry.lineStart, entry.lineEnd);
    if (isWhole(entry)) writer.out[at + length] = NEWLINE;
    writer.end(entry.stream, at + length + (isWhole(entry) ? 1 : 0));
  },
};

/** What `attributes` of a sink of this format are. */
export function localAttributes(attributes: Attributes): Uint8Array {
  const field = (tag: number, bytes: Uint8Array) =>
    Buffer.concat([Buffer.from([tag, ...varint(bytes.length)]), bytes]);
  const parts = Object.entries(attributes).map(([key, value]) =>
    field(ATTRIBUTE, Buffer.concat([field(KEY, Buffer.from(key)), field(VALUE, Buffer.from(value))])),
  );
  return Buffer.concat(parts);
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

interface Entry {
  stream: number;
  /** Where the number lies. */
  timeAt: number;
  lineStart: number;
  lineEnd: number;
  isPart: boolean;
  isLastPart: boolean;
  /** Where each lies. */
  attributes: (readonly [start: number, end: number])[];
}

const isWhole = ({ isPart, isLastPart }: Entry): boolean => !isPart || isLastPart;

function readEntry(bytes: Buffer, start: number, end: number): Entry {
  const entry: Entry = {
    stream: STDOUT,
    timeAt: end,
    lineStart: start,
    lineEnd: start,
    isPart: false,
    isLastPart: false,
    attributes: [],
  };
  for (let at = start; at < end; ) at = readField(bytes, at, { entry, end });
  return entry;
}

/** Says where the next field is; past the end when this one is none. */
function readField(bytes: Buffer, at: number, { entry, end }: { entry: Entry; end: number }): number {
  const tag = bytes[at] ?? 0;
  const [value, after] = readVarint(bytes, at + 1);
  if ((tag & 7) !== LENGTH_DELIMITED) {
    if (tag === TIME) entry.timeAt = at + 1;
    return after;
  }
  const next = after + value;
  if (next > end) return end;
  if (tag === SOURCE) entry.stream = bytes[after + 3] === LETTER_E ? STDERR : STDOUT;
  else if (tag === LINE) {
    entry.lineStart = after;
    entry.lineEnd = next;
  } else if (tag === PART) {
    entry.isPart = true;
    entry.isLastPart = bytes[after] === PART_LAST && bytes[after + 1] === 1;
  } else if (tag === ATTRIBUTE) entry.attributes.push([after, next]);
  return next;
}

/** Numbers of up to 53 bits; the position behind it. */
function readVarint(bytes: Buffer, at: number): readonly [number, number] {
  let value = 0;
  let scale = 1;
  for (let index = at; index < at + 10; index++) {
    const byte = bytes[index] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return [value, index + 1];
    scale *= 128;
  }
  return [value, at + 10];
}

/** Nanoseconds since the epoch: more bits than a number is exact in. */
function timeAt(bytes: Buffer, at: number): Moment {
  let value = 0n;
  for (let index = 0; index < 10; index++) {
    const byte = bytes[at + index] ?? 0;
    value += BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) break;
  }
  return momentOf(value);
}

function attributesOf(bytes: Buffer, spans: Entry["attributes"]): Attributes {
  const pairs = spans.map(([start, end]): [string, string] => {
    const [keyLength, keyAt] = readVarint(bytes, start + 1);
    const [valueLength, valueAt] = readVarint(bytes, keyAt + keyLength + 1);
    return [
      bytes.toString("utf8", keyAt, keyAt + keyLength),
      bytes.toString("utf8", valueAt, Math.min(valueAt + valueLength, end)),
    ];
  });
  return Object.fromEntries(pairs);
}
