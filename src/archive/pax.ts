import { Fault } from "#errors";
import type { ByteString, Segment } from "./entry.ts";
import { readDecimal } from "./numbers.ts";

/** Records of one extended header, values as byte strings. */
export type PaxRecords = Map<ByteString, ByteString>;

const XATTR = "SCHILY.xattr.";
const NO_ATTRIBUTES: ReadonlyMap<ByteString, Uint8Array> = new Map();

/** `"%d %s=%s\n"`, length, key, value. Source: POSIX pax interchange format, "pax Extended Header". */
export function parsePax(body: Buffer): { records: PaxRecords; segments: readonly Segment[] | undefined } {
  const records: PaxRecords = new Map();
  const numbers: number[] = [];
  for (let at = 0; at < body.length; ) {
    const { key, value, next } = record(body, at);
    if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") numbers.push(readDecimal(value));
    else if (value === "" && !key.startsWith(XATTR)) records.delete(key);
    else records.set(key, value);
    at = next;
  }
  const map = records.get("GNU.sparse.map");
  const listed = map === undefined ? numbers : map.split(",").map(readDecimal);
  return { records, segments: listed.length === 0 ? undefined : pairs(listed) };
}

function record(body: Buffer, at: number): { key: string; value: string; next: number } {
  const space = body.indexOf(0x20, at);
  const length = space < 0 || space - at > 8 ? 0 : Number(body.toString("latin1", at, space));
  const next = at + length;
  const equals = body.indexOf(0x3d, space);
  const isWhole = Number.isInteger(length) && length > 4 && next <= body.length && body[next - 1] === 0x0a;
  if (!isWhole || equals < 0 || equals >= next)
    throw new Fault("invalid", "Cannot read the archive: an extended header is damaged");
  return {
    key: body.toString("latin1", space + 1, equals),
    value: body.toString("latin1", equals + 1, next - 1),
    next,
  };
}

/** Offset and length in turn, ascending and without overlap. */
export function pairs(numbers: readonly number[]): readonly Segment[] {
  const segments: Segment[] = [];
  let end = 0;
  for (let at = 0; at + 1 < numbers.length; at += 2) {
    const [offset = 0, length = 0] = [numbers[at], numbers[at + 1]];
    if (offset < end || length < 0)
      throw new Fault("invalid", "Cannot read the archive: a sparse file's map is out of order");
    end = offset + length;
    segments.push({ offset, length });
  }
  if (numbers.length % 2 !== 0)
    throw new Fault("invalid", "Cannot read the archive: a sparse file's map is incomplete");
  return segments;
}

/** Extended attributes among the records. */
export function attributesOf(records: PaxRecords): ReadonlyMap<ByteString, Uint8Array> {
  if (records.size === 0) return NO_ATTRIBUTES;
  const attributes = new Map<ByteString, Uint8Array>();
  for (const [key, value] of records)
    if (key.startsWith(XATTR)) attributes.set(key.slice(XATTR.length), Buffer.from(value, "latin1"));
  return attributes;
}

/** The body of an extended header. */
export function formatPax(records: Iterable<readonly [ByteString, ByteString]>): Buffer {
  let body = "";
  for (const [key, value] of records) {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    body += length + rest;
  }
  return Buffer.from(body, "latin1");
}
