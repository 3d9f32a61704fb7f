import { constants, readlinkSync } from "node:fs";
import { Fault } from "#errors";
import {
  AT_FDCWD,
  close,
  type FileLook,
  failedWith,
  getAttribute,
  getAttributeOf,
  listAttributes,
  listAttributesOf,
  lookAtName,
  lookAtOpen,
  must,
  openAt,
  readAt,
} from "#host";
import { isBarred } from "./attributes.ts";
import { nextData } from "./data-ranges.ts";
import type { ByteString, Entry, EntryType, Segment } from "./entry.ts";
import { Gathered } from "./gathered.ts";
import { baseOf, byteString, cString, parentOf, textOf } from "./names.ts";
import { namesIn } from "./tree.ts";
import { OPAQUE_MARKS } from "./whiteouts.ts";
import { headerOf, paddingAfter, TRAILER } from "./writer.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, S_IFMT, S_IFDIR, S_IFREG, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO } =
  constants;
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
  const packing = packingFor({ style, isLive: style !== "plain" });
  yield* packDirectory("", packing);
  yield* ended(packing);
}

/** One path that differs: 0 modified, 1 added, 2 deleted. */
export interface Listed {
  /** From the root, with a slash before it. */
  readonly path: string;
  readonly kind: 0 | 1 | 2;
}

/** What is on a list, sorted by path, as a layer: each path by itself, and a mark for what was deleted. */
export async function* packList(list: AsyncIterable<Listed>): AsyncGenerator<Uint8Array> {
  const packing = packingFor({ style: "live", isLive: true });
  for await (const { path: text, kind } of list) {
    const path = byteString(text.replace(/^\/+/, ""));
    if (kind === 2) yield* packing.out.put(whiteout(parentOf(path), baseOf(path)));
    else {
      const look = lookUnlessGone(path, packing);
      const type = look && TYPES[look.mode & S_IFMT];
      if (type !== undefined && look !== undefined) yield* packEntry(path, { type, look, packing });
    }
  }
  yield* ended(packing);
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
  const look = mustLook(entry, lookAtName(cString(entry === "" ? "." : entry)));
  const type = TYPES[look.mode & S_IFMT];
  const isDirectory = type === "directory";
  const prefix = isDirectory && name !== "/" ? `${name}/` : name;
  const packing = packingFor({ style: "plain", isLive: true, prefix, ...(isRoots && { owner: 0 }) });
  if (isDirectory) {
    yield* packEntry("", { type, look, packing: { ...packing, prefix: prefix.slice(0, -1) } });
    yield* packDirectory("", packing);
  } else if (type !== undefined) {
    // Whatever it is called here, its whole name in the archive is the prefix.
    yield* packEntry(entry, { type, look, packing: { ...packing, isNamed: true } });
  }
  yield* ended(packing);
}

interface Packing {
  readonly out: Gathered;
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

function packingFor(
  given: Pick<Packing, "style" | "isLive" | "owner"> & { readonly prefix?: ByteString },
): Packing {
  return { prefix: "", ...given, links: new Map(), out: new Gathered() };
}

function* ended({ out }: Packing): Generator<Uint8Array> {
  yield* out.put(TRAILER);
  yield out.cut();
}

const nameOf = (path: ByteString, { prefix, isNamed }: Packing) =>
  isNamed === true ? prefix : `${prefix}${path}`;

const GONE = ["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ESTALE", "EINVAL"] as const;

/** Undefined when the tree is alive and what was to be looked at has gone or become another thing. */
function unlessGone<T>(look: () => T, { isLive }: Packing): T | undefined {
  try {
    return look();
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
    if (isLive && GONE.some((name) => name === code)) return undefined;
    throw thrown;
  }
}

function lookUnlessGone(path: ByteString, { isLive }: Packing): FileLook | undefined {
  const look = lookAtName(cString(path));
  const isGone = typeof look === "number" && isLive && GONE.some((name) => failedWith(look, name));
  return isGone ? undefined : mustLook(path, look);
}

function mustLook(path: ByteString, look: FileLook | number): FileLook {
  if (typeof look !== "number") return look;
  must(look, () => `look at ${textOf(path)}`);
  throw new Fault("internal", `Cannot look at ${textOf(path)}`);
}

function* packDirectory(directory: ByteString, packing: Packing): Generator<Uint8Array> {
  const { style, out } = packing;
  for (const name of [...(unlessGone(() => namesIn(directory), packing) ?? [])].sort()) {
    if (style === "overlay" && OPAQUE_MARKS.includes(name)) continue;
    const path = directory === "" ? name : `${directory}/${name}`;
    const look = lookUnlessGone(path, packing);
    const type = look && TYPES[look.mode & S_IFMT];
    if (type === undefined || look === undefined) continue;
    if (style === "overlay" && type === "character" && look.major === 0 && look.minor === 0)
      yield* out.put(whiteout(directory, name));
    else yield* packEntry(path, { type, look, packing });
    if (type === "directory") yield* packDirectory(path, packing);
  }
}

interface Found {
  readonly type: EntryType;
  readonly look: FileLook;
  readonly packing: Packing;
}

function* packEntry(path: ByteString, found: Found): Generator<Uint8Array> {
  const { type, look, packing } = found;
  const { links, out, style } = packing;
  const hasOthers = type !== "directory" && look.links > 1;
  const first = hasOthers ? links.get(look.identity) : undefined;
  if (first !== undefined) {
    yield* out.put(headerOf({ ...entryOf(path, { ...found, type: "hardlink" }), target: first }));
    return;
  }
  if (type === "file") return yield* packFile(path, found);
  const target = type === "symlink" ? unlessGone(() => linkAt(path), packing) : "";
  if (target === undefined) return;
  const attributes = attributesOf(listAttributes, getAttribute, cString(path === "" ? "." : path));
  const entry = { ...entryOf(path, found), target, attributes };
  if (hasOthers) links.set(look.identity, entry.path);
  yield* out.put(headerOf(entry));
  const isOpaque = style === "overlay" && getAttribute(cString(path), "trusted.overlay.opaque")?.[0] === 0x79;
  if (type === "directory" && isOpaque) yield* out.put(whiteout(path, ".wh..opq"));
}

function linkAt(path: ByteString): ByteString {
  return readlinkSync(Buffer.from(path, "latin1"), { encoding: "buffer" }).toString("latin1");
}

/** What is told of a file is what is open: its name may have become another's since it was looked at. */
function* packFile(path: ByteString, { packing, ...found }: Found): Generator<Uint8Array> {
  const { out, links } = packing;
  const descriptor = openUnlessGone(path, packing);
  if (descriptor === undefined) return;
  try {
    const look = packing.isLive ? mustLook(path, lookAtOpen(descriptor)) : found.look;
    if ((look.mode & S_IFMT) !== S_IFREG) return;
    const attributes = attributesOf(listAttributesOf, getAttributeOf, descriptor);
    const plain = { ...entryOf(path, { ...found, look, packing }), attributes };
    const entry = look.stored < look.size ? { ...plain, segments: segmentsOf(descriptor, plain) } : plain;
    if (look.links > 1) links.set(look.identity, entry.path);
    yield* out.put(headerOf(entry));
    let stored = 0;
    for (const segment of entry.segments ?? [{ offset: 0, length: entry.size }]) {
      yield* out.fill(segment.length, (space, done) =>
        read(descriptor, entry, { space, at: segment.offset + done }),
      );
      stored += segment.length;
    }
    yield* out.put(paddingAfter(stored));
  } finally {
    close(descriptor);
  }
}

/** A name may have become a pipe since it was looked at: opening must not wait for somebody at its other end. */
function openUnlessGone(path: ByteString, { isLive }: Packing): number | undefined {
  const flags = O_RDONLY | O_NOFOLLOW | (isLive ? O_NONBLOCK : 0);
  const descriptor = openAt(AT_FDCWD, cString(path), flags);
  if (isLive && GONE.some((name) => failedWith(descriptor, name))) return undefined;
  return must(descriptor, () => `open ${textOf(path)}`);
}

function segmentsOf(descriptor: number, { path, size }: Entry): readonly Segment[] {
  const segments: Segment[] = [];
  for (let at = 0; at < size; ) {
    const data = nextData(descriptor, at, { what: () => `read ${textOf(path)}` });
    if (data === undefined || data.start >= size) break;
    at = Math.min(data.end, size);
    segments.push({ offset: data.start, length: at - data.start });
  }
  return segments;
}

/** What the header announced is what follows, even when the file shrinks meanwhile. */
function read(
  descriptor: number,
  { path }: Entry,
  { space, at }: { readonly space: Buffer; readonly at: number },
): number {
  const length = must(readAt(descriptor, space, at), () => `read ${textOf(path)}`);
  if (length > 0) return length;
  space.fill(0);
  return space.length;
}

function entryOf(path: ByteString, { type, look, packing }: Found): Entry {
  const name = nameOf(path, packing);
  const isDevice = type === "character" || type === "block";
  return {
    type,
    path: type === "directory" ? `${name}/` : name,
    target: "",
    mode: look.mode & 0o7777,
    uid: packing.owner ?? look.uid,
    gid: packing.owner ?? look.gid,
    size: type === "file" ? look.size : 0,
    modified: look.modified,
    major: isDevice ? look.major : 0,
    minor: isDevice ? look.minor : 0,
    attributes: NONE,
  };
}

const NONE: Entry["attributes"] = new Map();

/** Of a name or of what is open. */
function attributesOf<Of>(
  list: (of: Of) => readonly ByteString[],
  get: (of: Of, name: Buffer) => Uint8Array | undefined,
  of: Of,
): Entry["attributes"] {
  const names = list(of);
  if (names.length === 0) return NONE;
  const attributes = new Map<ByteString, Uint8Array>();
  for (const name of names) {
    const value = isBarred(name) ? undefined : get(of, cString(name));
    if (value !== undefined) attributes.set(name, value);
  }
  return attributes;
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
    attributes: NONE,
  });
}
