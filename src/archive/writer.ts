import { checksumOf, SUM_AT, SUM_BYTES } from "./checksum.ts";
import type { ByteString, Entry, EntryType } from "./entry.ts";
import { BLOCK } from "./header.ts";
import { formatTime } from "./numbers.ts";
import { formatPax } from "./pax.ts";

const TYPEFLAGS: Readonly<Record<EntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};
/** What the octal fields of 8 and 12 bytes hold. */
const SMALL_LIMIT = 0o7777777;
const LARGE_LIMIT = 0o77777777777;
const NAME_LIMIT = 100;
const ZERO = 0x30;
const EXTENDED_NAME = "PaxHeaders/entry";

/** The end of an archive. */
export const TRAILER = Buffer.alloc(2 * BLOCK);

/** The zeros that fill the last block of data. */
export function paddingAfter(size: number): Uint8Array {
  return TRAILER.subarray(0, roundUp(size) - size);
}

const roundUp = (size: number) => Math.ceil(size / BLOCK) * BLOCK;
const NOTHING = Buffer.alloc(0);

/**
 * Everything that stands before an entry's data: an extended header where the plain one does not hold the
 * entry exactly, the header, and for a sparse file its map. Source: POSIX pax; GNU tar manual, "PAX 1".
 */
export function headerOf(entry: Entry): Buffer {
  const records = recordsOf(entry);
  const map = entry.segments === undefined ? NOTHING : formatMap(entry);
  const data = entry.segments?.reduce((sum, { length }) => sum + length, 0) ?? entry.size;
  const size = entry.type === "file" ? map.length + data : 0;
  if (size > LARGE_LIMIT) records.set("size", String(size));
  const body = records.size === 0 ? NOTHING : formatPax(records);
  const before = records.size === 0 ? 0 : BLOCK + roundUp(body.length);
  const header = Buffer.allocUnsafe(before + BLOCK + map.length).fill(0);
  if (before > 0) {
    block(header.subarray(0, BLOCK), {
      entry: { ...entry, path: EXTENDED_NAME, target: "" },
      size: body.length,
      typeflag: "x",
    });
    header.set(body, BLOCK);
  }
  block(header.subarray(before, before + BLOCK), { entry, size, typeflag: TYPEFLAGS[entry.type] });
  header.set(map, before + BLOCK);
  return header;
}

function recordsOf(entry: Entry): Map<ByteString, ByteString> {
  const records = new Map<ByteString, ByteString>();
  const { seconds, nanoseconds } = entry.modified;
  if (!isPlain(entry.path)) records.set("path", entry.path);
  if (!isPlain(entry.target)) records.set("linkpath", entry.target);
  if (entry.uid > SMALL_LIMIT) records.set("uid", String(entry.uid));
  if (entry.gid > SMALL_LIMIT) records.set("gid", String(entry.gid));
  if (nanoseconds !== 0 || seconds < 0 || seconds > LARGE_LIMIT)
    records.set("mtime", formatTime(entry.modified));
  for (const [name, value] of entry.attributes)
    records.set(`SCHILY.xattr.${name}`, Buffer.from(value).toString("latin1"));
  if (entry.segments === undefined) return records;
  records.set("GNU.sparse.major", "1");
  records.set("GNU.sparse.minor", "0");
  records.set("GNU.sparse.name", entry.path);
  records.set("GNU.sparse.realsize", String(entry.size));
  return records;
}

/** Fits the field and is ASCII, which readers of every age take alike. */
function isPlain(name: ByteString): boolean {
  return name.length <= NAME_LIMIT && /^[\x20-\x7e]*$/.test(name);
}

function formatMap({ segments = [] }: Entry): Buffer {
  const numbers = [segments.length, ...segments.flatMap(({ offset, length }) => [offset, length])];
  const text = Buffer.from(numbers.map((number) => `${number}\n`).join(""), "latin1");
  return Buffer.concat([text, paddingAfter(text.length)]);
}

/** Into a block of zeros. */
function block(
  header: Buffer,
  { entry, size, typeflag }: { readonly entry: Entry; readonly size: number; readonly typeflag: string },
): void {
  header.write(entry.path.slice(0, NAME_LIMIT), 0, "latin1");
  octal(header, 100, { width: 8, value: entry.mode });
  octal(header, 108, { width: 8, value: Math.min(entry.uid, SMALL_LIMIT) });
  octal(header, 116, { width: 8, value: Math.min(entry.gid, SMALL_LIMIT) });
  octal(header, 124, { width: 12, value: Math.min(size, LARGE_LIMIT) });
  octal(header, 136, { width: 12, value: Math.min(Math.max(entry.modified.seconds, 0), LARGE_LIMIT) });
  header.write(typeflag, 156, "latin1");
  header.write(entry.target.slice(0, NAME_LIMIT), 157, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  octal(header, 329, { width: 8, value: entry.major });
  octal(header, 337, { width: 8, value: entry.minor });
  // Two names of a hundred bytes and a few digits never come to its modulus.
  octal(header, SUM_AT, { width: SUM_BYTES - 1, value: checksumOf(header) });
  header.write(" ", SUM_AT + SUM_BYTES - 1, "latin1");
}

/** Digits that fill the field but for the NUL that ends it. */
function octal(
  header: Buffer,
  offset: number,
  { width, value }: { readonly width: number; readonly value: number },
): void {
  let rest = value;
  for (let at = offset + width - 2; at >= offset; at--) {
    header[at] = ZERO + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}
