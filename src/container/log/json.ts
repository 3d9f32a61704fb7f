import { parseTimestamp } from "../time.ts";
import type { LogFormat } from "./format.ts";
import { type Attributes, type LogWriter, type Moment, momentOf, STDERR, STDOUT } from "./writer.ts";

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEAD = Buffer.from('{"log":"');
const AFTER = Buffer.from('","stream":"std');
const FOOT = Buffer.from('Z"}\n');
const TIME = Buffer.from(',"time":"');
/** What an escape of one letter stands for. */
const ESCAPES: Readonly<Record<number, number>> = {
  [QUOTE]: QUOTE,
  [BACKSLASH]: BACKSLASH,
  47: 47,
  98: 8,
  102: 12,
  110: NEWLINE,
  114: 13,
  116: 9,
};
const LETTER_N = 0x6e;
const LETTER_U = 0x75;
const LETTER_E = 0x65;

/** Docker's json-file: `{"log":"…\n","stream":"stdout","attrs":{…},"time":"…"}`, one a line. */
export const JSON_LOG: LogFormat = {
  isLine: true,
  longest: 1024 * 1024,

  next(bytes, at, end) {
    const newline = bytes.indexOf(NEWLINE, at);
    return newline < 0 || newline >= end ? undefined : newline + 1;
  },

  previous(bytes, end) {
    const newline = end < 2 ? -1 : bytes.lastIndexOf(NEWLINE, end - 2);
    return newline < 0 ? undefined : newline + 1;
  },

  partOf(bytes, start, end) {
    let isLast = false;
    let at = start + HEAD.length;
    if (startsWith(bytes, start, HEAD))
      for (; at < end && bytes[at] !== QUOTE; at++) {
        isLast = bytes[at] === BACKSLASH && bytes[at + 1] === LETTER_N;
        if (bytes[at] === BACKSLASH) at++;
      }
    if (startsWith(bytes, at, AFTER))
      return { stream: streamAt(bytes, at + AFTER.length), isLast, isFirst: false };
    const { log = "", stream = STDOUT } = parse(bytes, start, end) ?? {};
    return { stream, isLast: log.endsWith("\n"), isFirst: false };
  },

  decode(bytes, { start, end }, writer) {
    if (writer.needsAttributes || !decodeFast(bytes, start, end, writer))
      decodeAny(bytes, start, end, writer);
  },
};

/** An entry as the supervisor writes them; false when it is another, and nothing has been written. */
function decodeFast(bytes: Buffer, start: number, end: number, writer: LogWriter): boolean {
  if (!startsWith(bytes, start, HEAD) || !startsWith(bytes, end - FOOT.length, FOOT)) return false;
  const time = writer.needsTime ? timeAtEnd(bytes, start, end) : undefined;
  if (writer.needsTime && time === undefined) return false;
  const begun = writer.begin(end - start, time);
  if (begun < 0) return true;
  const { out } = writer;
  let to = begun;
  let at = start + HEAD.length;
  for (let byte = bytes[at] ?? 0; byte !== QUOTE; byte = bytes[at] ?? 0) {
    if (at >= end) return false;
    if (byte !== BACKSLASH) {
      out[to++] = byte;
      at++;
    } else if (bytes[at + 1] === LETTER_U) {
      const [length, taken] = unescaped(bytes, at, { out, to });
      if (taken === 0) return false;
      to += length;
      at += taken;
    } else {
      out[to++] = ESCAPES[bytes[at + 1] ?? 0] ?? 0;
      at += 2;
    }
  }
  if (!startsWith(bytes, at, AFTER)) return false;
  writer.end(streamAt(bytes, at + AFTER.length), to);
  return true;
}

/** Of `stderr` and `stdout` the letter after "std" is enough. */
const streamAt = (bytes: Buffer, at: number): number => (bytes[at] === LETTER_E ? STDERR : STDOUT);

/** The character of an escape by number (`\u0041`), or of two of these, as UTF-8: how many bytes it has, and how many it was written in. */
function unescaped(
  bytes: Buffer,
  at: number,
  { out, to }: { readonly out: Buffer; readonly to: number },
): readonly [number, number] {
  const unit = Number.parseInt(bytes.toString("latin1", at + 2, at + 6), 16);
  if (Number.isNaN(unit)) return [0, 0];
  if (unit < 0x80) {
    out[to] = unit;
    return [1, 6];
  }
  const isPair = unit >= 0xd800 && unit < 0xdc00 && bytes[at + 6] === BACKSLASH && bytes[at + 7] === LETTER_U;
  const low = isPair ? Number.parseInt(bytes.toString("latin1", at + 8, at + 12), 16) : Number.NaN;
  return low >= 0xdc00 && low < 0xe000
    ? [out.write(String.fromCharCode(unit, low), to), 12]
    : [out.write(String.fromCharCode(unit), to), 6];
}

/** `…,"time":"2026-01-02T03:04:05.123456789Z"}` and the newline. */
function timeAtEnd(bytes: Buffer, start: number, end: number): Moment | undefined {
  const last = end - FOOT.length;
  let first = last;
  while (first > start && bytes[first - 1] !== QUOTE) first--;
  if (!startsWith(bytes, first - TIME.length, TIME)) return undefined;
  const seconds = Date.parse(`${bytes.toString("latin1", first, first + 19)}Z`) / 1000;
  let nanoseconds = 0;
  for (let digit = first + 20; digit < first + 29; digit++)
    nanoseconds = nanoseconds * 10 + (digit < last ? (bytes[digit] ?? 0x30) - 0x30 : 0);
  return Number.isNaN(seconds) ? undefined : { seconds, nanoseconds };
}

function startsWith(bytes: Buffer, at: number, words: Buffer): boolean {
  for (let index = 0; index < words.length; index++) if (bytes[at + index] !== words[index]) return false;
  return true;
}

function decodeAny(bytes: Buffer, start: number, end: number, writer: LogWriter): void {
  const entry = parse(bytes, start, end);
  if (entry === undefined) return;
  const { log, stream, time, attributes } = entry;
  writer.add(stream, Buffer.from(log), { time, attributes });
}

interface Parsed {
  readonly log: string;
  readonly stream: number;
  readonly time: Moment;
  readonly attributes: Attributes;
}

/** Undefined for a line that is no entry: a crash of the host may leave half a line. */
function parse(bytes: Buffer, start: number, end: number): Parsed | undefined {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8", start, end));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { log = "", stream, time, attrs } = value as Record<string, unknown>;
  const stamp = typeof time === "string" ? parseTimestamp(time) : undefined;
  if (typeof log !== "string" || stamp === undefined) return undefined;
  return {
    log,
    stream: stream === "stderr" ? STDERR : STDOUT,
    time: momentOf(stamp),
    attributes: attributesOf(attrs),
  };
}

function attributesOf(value: unknown): Attributes {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]));
}
