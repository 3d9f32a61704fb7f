import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
} from "node:fs";
import { failedWith, getAttribute, listAttributes, must, readAt, SEEK_DATA, SEEK_HOLE, seek } from "#host";
import { isBarred } from "./attributes.ts";
import type { ByteString, Entry, EntryType, Segment } from "./entry.ts";
import { baseOf, byteString, cString, parentOf, textOf } from "./names.ts";
import { isWhiteout, namesIn } from "./tree.ts";
import { OPAQUE_MARKS } from "./whiteouts.ts";
import { headerOf, paddingAfter, TRAILER } from "./writer.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, S_IFMT, S_IFDIR, S_IFREG, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO } =
  constants;
const CHUNK_BYTES = 512 * 1024;
const TYPES: Readonly<Record<number, EntryType>> = {
  [S_IFDIR]: "directory",
  [S_IFREG]: "file",
  [S_IFLNK]: "symlink",
  [S_IFCHR]: "character",
  [S_IFBLK]: "block",
  [S_IFIFO]: "fifo",
};

/**
 * `overlay`: the tree is an overlay's upper directory, and its marks become a layer's whiteouts. `live`: others may
 * change it meanwhile.
 */
export type PackStyle = "plain" | "overlay" | "live";

/**
 * The working directory, which must be the root of a process of its own, as a tar archive: names sorted, hard
 * links kept, holes kept. Sockets are left out, as everywhere.
 */
export function* packTree(style: PackStyle): Generator<Uint8Array> {
  yield* packDirectory("", { style, links: new Map(), prefix: "", isLive: style !== "plain" });
  yield TRAILER;
}

/** One path that differs: 0 modified, 1 added, 2 deleted. */
export interface Listed {
  /** From the root, with a slash before it. */
  readonly path: string;
  readonly kind: 0 | 1 | 2;
}

/** What is on a list, sorted by path, as a layer: each path by itself, and a mark for what was deleted. */
export async function* packList(list: AsyncIterable<Listed>): AsyncGenerator<Uint8Array> {
  const packing: Packing = { style: "live", links: new Map(), prefix: "", isLive: true };
  for await (const { path: text, kind } of list) {
    const path = byteString(text.replace(/^\/+/, ""));
    if (kind === 2) {
      yield whiteout(parentOf(path), baseOf(path));
      continue;
    }
    const stats = unlessGone(() => lstatSync(Buffer.from(path, "latin1"), { bigint: true }), packing);
    const type = stats && TYPES[Number(stats.mode) & S_IFMT];
    if (type !== undefined && stats !== undefined) yield* packEntry(path, { type, stats, packing });
  }
  yield TRAILER;
}

export interface Resource {
  /** A name in the working directory, or "" for the directory itself. */
  readonly entry: ByteString;
  /** What the archive calls it: entries below a directory get this and a slash before their names. */
  readonly name: ByteString;
  /** Everything belongs to root, whoever it belongs to here. */
  readonly isRoots: boolean;
}

/** One file, or a directory with itself as the first entry, of a tree that others may change meanwhile: what goes is left out. */
export function* packResource({ entry, name, isRoots }: Resource): Generator<Uint8Array> {
  const stats = lstatSync(Buffer.from(entry === "" ? "." : entry, "latin1"), { bigint: true });
  const type = TYPES[Number(stats.mode) & S_IFMT];
  const rest = { style: "plain", links: new Map(), isLive: true, ...(isRoots && { owner: 0 }) } as const;
  if (type === "directory") {
    const prefix = name === "/" ? name : `${name}/`;
    const packing = { ...rest, prefix: prefix.slice(0, -1) };
    yield* packEntry("", { type, stats, packing });
    yield* packDirectory("", { ...rest, prefix });
  } else if (type !== undefined) {
    // Whatever it is called here, its whole name in the archive is the prefix.
    yield* packEntry(entry, { type, stats, packing: { ...rest, prefix: name, isNamed: true } });
  }
  yield TRAILER;
}

interface Packing {
  readonly style: PackStyle;
  /** First name of each inode that has several: as in the archive. */
  readonly links: Map<string, ByteString>;
  /** Before every name in the archive; with `isNamed`, instead of it. */
  readonly prefix: ByteString;
  readonly isNamed?: boolean;
  /** Whether files may change and go while they are read. */
  readonly isLive: boolean;
  /** Uid and gid of everything. */
  readonly owner?: number;
}

const nameOf = (path: ByteString, { prefix, isNamed }: Packing) =>
  isNamed === true ? prefix : `${prefix}${path}`;

const GONE = ["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ESTALE", "EINVAL"];

/** Undefined when the tree is alive and what was to be looked at has gone or become another thing. */
function unlessGone<T>(look: () => T, { isLive }: Packing): T | undefined {
  try {
    return look();
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    if (isLive && GONE.includes(code)) return undefined;
    throw thrown;
  }
}

function* packDirectory(directory: ByteString, packing: Packing): Generator<Uint8Array> {
  for (const name of [...(unlessGone(() => namesIn(directory), packing) ?? [])].sort()) {
    if (packing.style === "overlay" && OPAQUE_MARKS.includes(name)) continue;
    const path = directory === "" ? name : `${directory}/${name}`;
    const stats = unlessGone(() => lstatSync(Buffer.from(path, "latin1"), { bigint: true }), packing);
    const type = stats && TYPES[Number(stats.mode) & S_IFMT];
    if (type === undefined || stats === undefined) continue;
    if (packing.style === "overlay" && isWhiteout({ mode: Number(stats.mode), rdev: Number(stats.rdev) }))
      yield whiteout(directory, name);
    else yield* packEntry(path, { type, stats, packing });
    if (type === "directory") yield* packDirectory(path, packing);
  }
}

interface Found {
  readonly type: EntryType;
  readonly stats: BigIntStats;
  readonly packing: Packing;
}

function* packEntry(path: ByteString, found: Found): Generator<Uint8Array> {
  const { type, stats, packing } = found;
  const hasOthers = type !== "directory" && stats.nlink > 1n;
  const inode = `${stats.dev}:${stats.ino}`;
  const first = hasOthers ? packing.links.get(inode) : undefined;
  const entry = unlessGone(
    () => describe(path, first === undefined ? found : { ...found, type: "hardlink" }),
    packing,
  );
  if (entry === undefined) return;
  if (first !== undefined) {
    yield headerOf({ ...entry, target: first });
    return;
  }
  if (type === "file") {
    const descriptor = openRegular(path, packing);
    if (descriptor === undefined) return;
    if (hasOthers) packing.links.set(inode, entry.path);
    yield* packFile(descriptor, entry, stats);
    return;
  }
  if (hasOthers) packing.links.set(inode, entry.path);
  yield headerOf(entry);
  const isOpaque =
    packing.style === "overlay" && getAttribute(cString(path), "trusted.overlay.opaque")?.[0] === 0x79;
  if (type === "directory" && isOpaque) yield whiteout(path, ".wh..opq");
}

/** A name may have become a pipe since it was looked at: opening must not wait for somebody at its other end. */
function openRegular(path: ByteString, packing: Packing): number | undefined {
  const flags = O_RDONLY | O_NOFOLLOW | (packing.isLive ? O_NONBLOCK : 0);
  const descriptor = unlessGone(() => openSync(Buffer.from(path, "latin1"), flags), packing);
  if (descriptor === undefined || !packing.isLive || fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  return undefined;
}

function* packFile(descriptor: number, entry: Entry, stats: BigIntStats): Generator<Uint8Array> {
  try {
    const isSparse = stats.blocks * 512n < stats.size;
    const segments = isSparse ? segmentsOf(descriptor, entry) : undefined;
    yield headerOf(segments === undefined ? entry : { ...entry, segments });
    let stored = 0;
    for (const segment of segments ?? [{ offset: 0, length: entry.size }]) {
      yield* readSegment(descriptor, entry, segment);
      stored += segment.length;
    }
    yield paddingAfter(stored);
  } finally {
    closeSync(descriptor);
  }
}

function segmentsOf(descriptor: number, { path, size }: Entry): readonly Segment[] {
  const segments: Segment[] = [];
  for (let at = 0; at < size; ) {
    const offset = seek(descriptor, at, SEEK_DATA);
    if (failedWith(offset, "ENXIO")) break;
    const end = seek(
      descriptor,
      must(offset, () => `read ${textOf(path)}`),
      SEEK_HOLE,
    );
    at = Math.min(
      must(end, () => `read ${textOf(path)}`),
      size,
    );
    if (offset >= size) break;
    segments.push({ offset, length: at - offset });
  }
  return segments;
}

/** What the header announced is what follows, even when the file shrinks meanwhile. */
function* readSegment(
  descriptor: number,
  { path }: Entry,
  { offset, length }: Segment,
): Generator<Uint8Array> {
  for (let done = 0; done < length; ) {
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, length - done));
    const read = must(readAt(descriptor, chunk, offset + done), () => `read ${textOf(path)}`);
    const part = read === 0 ? chunk : chunk.subarray(0, read);
    yield part;
    done += part.length;
  }
}

function describe(path: ByteString, { type, stats, packing }: Found): Entry {
  const isDevice = type === "character" || type === "block";
  const { major, minor } = isDevice ? splitDevice(stats.rdev) : { major: 0, minor: 0 };
  const nanoseconds = ((stats.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return {
    type,
    path: type === "directory" ? `${nameOf(path, packing)}/` : nameOf(path, packing),
    target:
      type === "symlink"
        ? readlinkSync(Buffer.from(path, "latin1"), { encoding: "buffer" }).toString("latin1")
        : "",
    mode: Number(stats.mode) & 0o7777,
    uid: packing.owner ?? Number(stats.uid),
    gid: packing.owner ?? Number(stats.gid),
    size: type === "file" ? Number(stats.size) : 0,
    modified: {
      seconds: Number((stats.mtimeNs - nanoseconds) / 1_000_000_000n),
      nanoseconds: Number(nanoseconds),
    },
    major,
    minor,
    attributes: type === "hardlink" ? new Map() : attributesAt(path === "" ? "." : path),
  };
}

function attributesAt(path: ByteString): ReadonlyMap<ByteString, Uint8Array> {
  const attributes = new Map<ByteString, Uint8Array>();
  for (const name of listAttributes(cString(path))) {
    const value = isBarred(name) ? undefined : getAttribute(cString(path), cString(name));
    if (value !== undefined) attributes.set(name, value);
  }
  return attributes;
}

/** Source: makedev(3). */
function splitDevice(device: bigint): { readonly major: number; readonly minor: number } {
  const major = Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn));
  const minor = Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
  return { major, minor };
}

function whiteout(directory: ByteString, name: ByteString): Buffer {
  const path = `${directory === "" ? "" : `${directory}/`}.wh.${name}`;
  return headerOf({
    type: "file",
    path,
    target: "",
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    modified: { seconds: 0, nanoseconds: 0 },
    major: 0,
    minor: 0,
    attributes: new Map(),
  });
}
