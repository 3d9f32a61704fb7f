import { constants } from "node:fs";
import { makeDevice } from "#host";
import { isBarred } from "../attributes.ts";
import type { ByteString, Entry, EntrySink, EntryType, Segment } from "../entry.ts";
import { cleanPath, refused, textOf } from "../names.ts";
import type { UnpackTotals } from "../unpacker.ts";
import { markOf } from "../whiteouts.ts";
import { encodeAttributes } from "./attributes.ts";
import { chunksOf } from "./chunks.ts";
import { finishImage } from "./finish.ts";
import { ImageFile } from "./image-file.ts";
import { BLOCK, encodeInode, FILE_TYPE, HOLE, INODE_BYTES, type Inode, writeInode } from "./layout.ts";
import { Leaf, Tree } from "./tree.ts";

/** What the image is called in the directory that is unpacked into. */
export const EROFS_IMAGE = "layer.erofs";

const { S_IFREG, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO } = constants;
const MODES = { file: S_IFREG, symlink: S_IFLNK, character: S_IFCHR, block: S_IFBLK, fifo: S_IFIFO } as const;
const SIZE_LIMIT = 16 * 2 ** 40 - 1;
/** Names are kept in memory until the end. */
const ENTRIES_LIMIT = 4_000_000;
/** So are directories' attributes: bytes of all together. */
const ATTRIBUTES_LIMIT = 32 * 1024 * 1024;
const OPAQUE = "trusted.overlay.opaque";
const NOTHING = Buffer.alloc(0);
const EPOCH = { seconds: 0, nanoseconds: 0 };

type LeafType = Exclude<EntryType, "hardlink" | "directory">;
type Attributes = Map<ByteString, Uint8Array>;

/** An image of an empty directory. */
export function writeEmptyErofs(directory: string): void {
  new ErofsUnpacker(`${directory}/${EROFS_IMAGE}`).end();
}

/**
 * Writes an archive as one EROFS image, in one pass: a file's data and its inode as they come, directories at the end.
 * The tree in it is what `Unpacker` makes for overlay, to the times and marks.
 */
export class ErofsUnpacker implements EntrySink {
  readonly #image: ImageFile;
  readonly #tree: Tree;
  /** All names that are gone share one inode. */
  #gone: Leaf | undefined;
  /** Leaves that had more than one name at some time. */
  readonly #linked = new Set<Leaf>();
  #serial = 1;
  #attributeBytes = 0;
  #hasChunks = false;
  #bytes = 0;
  #entries = 0;
  /** The inode of most files, and of the one after. */
  readonly #bare = Buffer.alloc(INODE_BYTES);
  /** Where the data of the file that is being read goes, by its offset. */
  #placeOf: ((offset: number) => number) | undefined;

  /** `path` must not exist. */
  constructor(path: string) {
    this.#image = new ImageFile(path, BLOCK);
    const modified = { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 };
    this.#tree = new Tree({ mode: 0o755, uid: 0, gid: 0, modified });
  }

  begin(entry: Entry): void {
    const path = cleanPath(entry.path);
    if (++this.#entries > ENTRIES_LIMIT)
      throw refused(path, `the archive has more than ${ENTRIES_LIMIT} entries`);
    const mark = markOf(path);
    if (mark?.kind === "gone") this.#hide(mark.path);
    else if (mark?.kind === "opaque") this.#hideBelow(mark.directory);
    else if (mark === undefined && entry.type === "directory") this.#putDirectory(path, entry);
    else if (path === "" && mark === undefined) throw refused(path, "the root can only be a directory");
    else if (mark === undefined && entry.type === "hardlink") this.#putLink(path, entry);
    else if (mark === undefined) this.#putLeaf(path, entry.type as LeafType, entry);
  }

  data(bytes: Uint8Array, offset: number): void {
    if (this.#placeOf === undefined) return;
    this.#image.write(bytes, this.#placeOf(offset));
    this.#bytes += bytes.length;
  }

  finish(): void {
    this.#placeOf = undefined;
  }

  end(): UnpackTotals {
    finishImage({
      image: this.#image,
      tree: this.#tree,
      serial: this.#serial,
      hasChunks: this.#hasChunks,
      linked: this.#linked,
    });
    this.#image.close();
    return { bytes: this.#bytes, entries: this.#entries };
  }

  #hide(path: ByteString): void {
    const present = this.#tree.look(path);
    if (present?.type === FILE_TYPE.directory) this.#hideBelow(path);
    if (present !== undefined) return;
    const isFirst = this.#gone === undefined;
    this.#gone ??= new Leaf(FILE_TYPE.character, this.#write(goneInode()));
    if (!isFirst) this.#gone.links++;
    this.#linked.add(this.#gone);
    this.#tree.put(path, this.#gone);
  }

  #hideBelow(path: ByteString): void {
    const present = this.#tree.look(path) ?? this.#tree.makeDirectory(path);
    if (present.type !== FILE_TYPE.directory)
      throw refused(path, "it is to hide what lies below and is no directory");
    present.attributes = new Map([...(present.attributes ?? []), [OPAQUE, Buffer.from("y")]]);
  }

  #putDirectory(path: ByteString, entry: Entry): void {
    const present = this.#tree.look(path);
    const directory = present?.type === FILE_TYPE.directory ? present : this.#tree.makeDirectory(path);
    const { mode, uid, gid, modified } = entry;
    directory.look = { mode, uid, gid, modified };
    const added = kept(entry);
    if (present !== undefined && present === this.#gone) added.set(OPAQUE, Buffer.from("y"));
    if (added.size === 0) return;
    this.#attributeBytes += encodeAttributes(added, path).length;
    if (this.#attributeBytes > ATTRIBUTES_LIMIT)
      throw refused(path, `the extended attributes of directories take more than ${ATTRIBUTES_LIMIT} bytes`);
    directory.attributes = new Map([...(directory.attributes ?? []), ...added]);
  }

  #putLink(path: ByteString, entry: Entry): void {
    const target = cleanPath(entry.target);
    const reason = `it is a hard link to ${JSON.stringify(textOf(target))}, which is no file of this archive`;
    const find = (): Leaf => {
      const found = this.#tree.look(target);
      if (found instanceof Leaf && found !== this.#gone) return found;
      throw refused(path, reason);
    };
    find();
    if (target === path) return;
    // What is there goes first, and the target may have been below it.
    this.#tree.remove(path);
    const leaf = find();
    leaf.links++;
    this.#linked.add(leaf);
    this.#tree.put(path, leaf);
  }

  #putLeaf(path: ByteString, type: LeafType, entry: Entry): void {
    if (type === "character" && entry.major === 0 && entry.minor === 0)
      throw refused(path, "a character device 0:0 would hide files of other layers");
    if (type === "symlink" && (entry.target === "" || entry.target.includes("\0")))
      throw refused(path, "it links to no valid name");
    if (entry.size > SIZE_LIMIT) throw refused(path, `its size of ${entry.size} bytes exceeds every disk`);
    const attributes = encodeAttributes(kept(entry), path);
    const target = type === "symlink" ? entry.target : undefined;
    const offset =
      type === "file" ? this.#writeFile(entry, attributes) : this.#writeOther(type, entry, attributes);
    this.#tree.put(path, new Leaf(FILE_TYPE[type], offset, target));
  }

  #writeFile(entry: Entry, attributes: Buffer): number {
    const { size, segments } = entry;
    const inode = { ...lookOf("file", entry), attributes };
    if (segments !== undefined && size > 0) return this.#writeSparse(inode, segments);
    const at = size === 0 ? HOLE * BLOCK : this.#image.allocate(size);
    this.#placeOf = (offset) => at + offset;
    return this.#write({ ...inode, layout: "plain", size, where: at / BLOCK });
  }

  #writeSparse(inode: Omit<Inode, "layout" | "where">, segments: readonly Segment[]): number {
    this.#hasChunks = true;
    const chunks = chunksOf(inode.size, segments);
    const at = this.#image.allocate(chunks.bytes);
    this.#placeOf = (offset) => at + chunks.placeOf(offset);
    return this.#write({ ...inode, layout: "chunks", where: chunks.format }, chunks.index(at / BLOCK));
  }

  #writeOther(type: Exclude<LeafType, "file">, entry: Entry, attributes: Buffer): number {
    const inode = { ...lookOf(type, entry), attributes };
    if (type !== "symlink")
      return this.#write({ ...inode, layout: "plain", size: 0, where: deviceOf(type, entry) });
    const target = Buffer.from(entry.target, "latin1");
    const size = target.length;
    if (INODE_BYTES + attributes.length + size <= BLOCK)
      return this.#write({ ...inode, layout: "inline", size, where: 0 }, target);
    const at = this.#image.allocate(size);
    this.#image.write(target, at);
    return this.#write({ ...inode, layout: "plain", size, where: at / BLOCK });
  }

  #write(inode: Inode, tail?: Buffer): number {
    const isBare = tail === undefined && inode.attributes.length === 0;
    if (isBare) return this.#image.place(writeInode(this.#bare, inode, this.#serial++));
    return this.#image.place(Buffer.concat([encodeInode(inode, this.#serial++), tail ?? NOTHING]));
  }
}

function lookOf(
  type: LeafType,
  { mode, uid, gid, modified, size }: Entry,
): Omit<Inode, "layout" | "where" | "attributes"> {
  return { mode: MODES[type] | (type === "symlink" ? 0o777 : mode), uid, gid, modified, size, links: 1 };
}

function goneInode(): Inode {
  const look = { uid: 0, gid: 0, size: 0, links: 1, modified: EPOCH, attributes: NOTHING };
  return { ...look, mode: S_IFCHR, layout: "plain", where: 0 };
}

/** Source: Linux, include/linux/kdev_t.h, new_encode_dev: 12 and 20 bits. */
function deviceOf(type: LeafType, { major, minor }: Entry): number {
  return type === "fifo" ? 0 : Number(BigInt.asUintN(32, BigInt(makeDevice(major, minor))));
}

/** What a file system would keep of an entry's attributes: `user.` ones are for files and directories. */
function kept({ type, attributes }: Entry): Attributes {
  if (attributes.size === 0) return new Map();
  const isPlain = type === "file" || type === "directory";
  return new Map(
    [...attributes].filter(([name]) => !isBarred(name) && (isPlain || !name.startsWith("user."))),
  );
}
