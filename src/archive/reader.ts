import { Fault } from "#errors";
import { Cursor, type Parsing, truncated } from "./cursor.ts";
import type { Entry, EntrySink, EntryType, Segment } from "./entry.ts";
import { BLOCK, type Header, isZeroBlock, parseHeader, text } from "./header.ts";
import { readDecimal, readTime } from "./numbers.ts";
import { attributesOf, type PaxRecords, parsePax } from "./pax.ts";
import { readOldSparse, readSparse1, type SparseMap } from "./sparse.ts";

/** An extended header or long name may take so many bytes. */
const EXTENSION_LIMIT = 1024 * 1024;
const TYPES: Readonly<Record<string, EntryType>> = {
  "\0": "file",
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  "7": "file",
  S: "file",
};

/** What the headers before an entry said about it. */
interface Extension {
  name?: string;
  linkname?: string;
  records: PaxRecords;
  segments?: readonly Segment[];
}

/** Reads tar in all its dialects from chunks of any size and tells the sink. Throws `invalid` on damage. */
export class TarReader {
  readonly #parsing: Parsing<boolean>;
  #hasEnd = false;

  constructor(sink: EntrySink) {
    this.#parsing = parse(new Cursor(), sink);
    this.#parsing.next();
  }

  /** Whether the mark of its end was read, which an archive lacks that was cut off between two entries. */
  get hasEnd(): boolean {
    return this.#hasEnd;
  }

  push(chunk: Uint8Array): void {
    const step = this.#parsing.next(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if (step.done === true) this.#hasEnd ||= step.value ?? false;
  }

  /** Throws `invalid` when the archive stopped in the middle. */
  end(): void {
    this.#parsing.next(undefined);
  }
}

/** Whether there was a mark of the end. */
function* parse(cursor: Cursor, sink: EntrySink): Parsing<boolean> {
  let extension: Extension | undefined;
  for (;;) {
    const block = cursor.grab(BLOCK) ?? (yield* cursor.take(BLOCK));
    if (block === undefined) return false;
    if (isZeroBlock(block)) return true;
    const header = parseHeader(block);
    if ("xgLKX".includes(header.typeflag)) {
      extension ??= { records: new Map() };
      yield* readExtension(header, { cursor, extension });
    } else {
      yield* readMember(header, { block, cursor, extension: extension ?? PLAIN, sink });
      extension = undefined;
    }
  }
}

/** A header that speaks of the next. */
function* readExtension(
  { typeflag, size }: Header,
  { cursor, extension }: { readonly cursor: Cursor; readonly extension: Extension },
): Parsing<void> {
  const body = yield* readBody(cursor, size);
  if (typeflag === "L") extension.name = text(body, 0, body.length);
  else if (typeflag === "K") extension.linkname = text(body, 0, body.length);
  else if (typeflag !== "g") {
    const { records, segments } = parsePax(body);
    extension.records = records;
    if (segments !== undefined) extension.segments = segments;
  }
}

function* readBody(cursor: Cursor, size: number): Parsing<Buffer> {
  if (size < 0 || size > EXTENSION_LIMIT)
    throw new Fault("invalid", `Cannot read the archive: an extended header of ${size} bytes is too large`);
  const length = padding(size) + size;
  const padded = cursor.grab(length) ?? (yield* cursor.take(length));
  if (padded === undefined && size > 0) throw truncated();
  return (padded ?? Buffer.alloc(0)).subarray(0, size);
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

interface Member {
  readonly block: Buffer;
  readonly cursor: Cursor;
  readonly extension: Readonly<Extension>;
  readonly sink: EntrySink;
}

const PLAIN: Readonly<Extension> = { records: new Map() };

function* readMember(header: Header, { block, cursor, extension, sink }: Member): Parsing<void> {
  const { records } = extension;
  const declared = records.get("size");
  const stored = declared === undefined ? header.size : readDecimal(declared);
  if (stored < 0) throw new Fault("invalid", "Cannot read the archive: an entry has a negative size");
  if ("VMN".includes(header.typeflag)) return yield* cursor.pass(stored + padding(stored), () => {});
  const mayBeSparse = extension !== PLAIN || header.typeflag === "S";
  const sparse = mayBeSparse ? yield* readMap(header, { block, cursor, extension, stored }) : undefined;
  const entry = describe(header, extension, sparse ?? { size: stored });
  const length = entry.type === "file" ? stored - (sparse?.consumed ?? 0) : 0;
  if (sparse !== undefined) checkMap(sparse, length);
  sink.begin(entry);
  if (sparse !== undefined) yield* readData(cursor, sink, sparse.segments);
  else if (length > 0) {
    const whole = cursor.grab(length);
    if (whole === undefined) yield* readData(cursor, sink, [{ offset: 0, length }]);
    else sink.data(whole, 0);
  }
  const ignored = header.typeflag === "D" ? stored + padding(stored) : length > 0 ? padding(stored) : 0;
  if (cursor.grab(ignored) === undefined) yield* cursor.pass(ignored, () => {});
  sink.finish();
}

function* readMap(
  header: Header,
  { block, cursor, extension, stored }: Omit<Member, "sink"> & { readonly stored: number },
): Parsing<SparseMap | undefined> {
  const { records, segments } = extension;
  if (header.typeflag === "S") return yield* readOldSparse(block, cursor);
  const realSize = records.get("GNU.sparse.realsize") ?? records.get("GNU.sparse.size");
  const size = realSize === undefined ? stored : readDecimal(realSize);
  if (records.get("GNU.sparse.major") === "1") return yield* readSparse1(cursor, size);
  return segments === undefined ? undefined : { segments, size, consumed: 0 };
}

/** Before anybody relies on it: whoever writes the file has something for each block of each segment. */
function checkMap({ segments, size }: SparseMap, length: number): void {
  const total = segments.reduce((sum, segment) => sum + segment.length, 0);
  const last = segments.at(-1);
  if (total !== length || (last !== undefined && last.offset + last.length > size))
    throw new Fault("invalid", "Cannot read the archive: a sparse file's map does not fit its data");
}

/** The data of a file lies in the archive segment after segment, without the holes. */
function* readData(cursor: Cursor, sink: EntrySink, segments: readonly Segment[]): Parsing<void> {
  for (const segment of segments)
    yield* cursor.pass(segment.length, (bytes, done) => sink.data(bytes, segment.offset + done));
}

function describe(
  header: Header,
  { name, linkname, records }: Readonly<Extension>,
  sparse: { readonly size: number; readonly segments?: readonly Segment[] },
): Entry {
  const path = records.get("GNU.sparse.name") ?? records.get("path") ?? name ?? header.name;
  const mtime = records.get("mtime");
  const type = typeOf(header, path);
  const { segments } = sparse;
  const entry = {
    type,
    path,
    target: records.get("linkpath") ?? linkname ?? header.linkname,
    mode: header.mode & 0o7777,
    uid: number(records, "uid") ?? header.uid,
    gid: number(records, "gid") ?? header.gid,
    size: type === "file" ? sparse.size : 0,
    modified: mtime === undefined ? { seconds: header.modified, nanoseconds: 0 } : readTime(mtime),
    major: header.major,
    minor: header.minor,
    attributes: attributesOf(records),
  };
  return segments === undefined ? entry : { ...entry, segments };
}

function typeOf({ typeflag }: Header, path: string): EntryType {
  if (typeflag === "D") return "directory";
  const type = TYPES[typeflag];
  if (type === undefined)
    throw new Fault(
      "invalid",
      `Cannot read the archive: entries of type ${JSON.stringify(typeflag)} are unknown`,
    );
  return type === "file" && path.endsWith("/") ? "directory" : type;
}

function number(records: PaxRecords, key: string): number | undefined {
  const value = records.get(key);
  return value === undefined ? undefined : readDecimal(value);
}
