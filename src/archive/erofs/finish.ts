import { constants } from "node:fs";
import type { ByteString } from "../entry.ts";
import { refused } from "../names.ts";
import { encodeAttributes } from "./attributes.ts";
import { directorySize, encodeDirectory } from "./directory.ts";
import { type ImageFile, placeAfter } from "./image-file.ts";
import {
  BLOCK,
  encodeInode,
  encodeSuperblock,
  FILE_TYPE,
  INODE_BYTES,
  LINKS_OFFSET,
  ROOT_OFFSET,
  SLOT,
  SUPERBLOCK_OFFSET,
} from "./layout.ts";
import type { Directory, Leaf, Tree } from "./tree.ts";

const { S_IFDIR } = constants;

export interface Finish {
  readonly image: ImageFile;
  readonly tree: Tree;
  /** The next inode's. */
  readonly serial: number;
  readonly hasChunks: boolean;
  /** Whose inode may tell another number of names. */
  readonly linked: Iterable<Leaf>;
}

/** What of a directory is known before its inode's place. */
interface Measured {
  readonly directory: Directory;
  readonly attributes: Buffer;
  /** Of its names: they are behind the inode, or in blocks. */
  readonly size: number;
  readonly isInline: boolean;
}

/** Directories, and what is known only now; the superblock last, so that half an image is none. */
export function finishImage({ image, tree, serial, hasChunks, linked }: Finish): void {
  const [root, ...others] = placeDirectories(tree.root, image);
  if (root === undefined) return;
  let next = serial;
  const outside: { readonly measured: Measured; readonly at: number }[] = [];
  const encode = (measured: Measured): Buffer => {
    const { directory, attributes, size, isInline } = measured;
    const at = isInline ? 0 : image.allocate(size);
    if (!isInline) outside.push({ measured, at });
    const { look } = directory;
    const links = 2 + [...directory.children.values()].filter(isDirectory).length;
    const layout = isInline ? "inline" : "plain";
    const inode = {
      ...look,
      mode: S_IFDIR | look.mode,
      layout,
      size,
      where: at / BLOCK,
      links,
      attributes,
    } as const;
    const record = encodeInode(inode, next++);
    return isInline ? Buffer.concat([record, encodeNames(measured)]) : record;
  };
  for (const measured of others) image.write(encode(measured), measured.directory.offset);
  const rootInode = encode(root);
  for (const { measured, at } of outside) image.write(encodeNames(measured), at);
  const blocks = image.finish();
  for (const { offset, links } of linked) image.patch(uint32(links), offset + LINKS_OFFSET);
  const uuid = crypto.getRandomValues(new Uint8Array(16));
  const superblock = encodeSuperblock({ inodes: next - 1, blocks, hasChunks, uuid });
  image.patch(Buffer.concat([superblock, rootInode]), SUPERBLOCK_OFFSET);
}

/** The root first. Their inodes are side by side, but for the root's, whose place is fixed. */
function placeDirectories(root: Directory, image: ImageFile): readonly Measured[] {
  const all: Measured[] = [];
  let used = 0;
  for (const directories = [root]; ; ) {
    const directory = directories.pop();
    if (directory === undefined) break;
    const measured = measure(directory, root);
    all.push(measured);
    for (const child of directory.children.values()) if (isDirectory(child)) directories.push(child);
    if (directory === root) continue;
    const bytes = INODE_BYTES + measured.attributes.length + (measured.isInline ? measured.size : 0);
    directory.offset = placeAfter(used, bytes);
    used = directory.offset + bytes;
  }
  const start = image.allocate(used);
  for (const { directory } of all) directory.offset += directory === root ? ROOT_OFFSET : start;
  return all;
}

function measure(directory: Directory, root: Directory): Measured {
  const { path } = directory;
  const attributes = encodeAttributes(directory.attributes ?? new Map(), path);
  const size = directorySize(namesIn(directory));
  if (directory === root && ROOT_OFFSET + INODE_BYTES + attributes.length > BLOCK)
    throw refused(path, "the root's extended attributes are too large");
  const isInline = directory !== root && INODE_BYTES + attributes.length + size <= BLOCK;
  return { directory, attributes, size, isInline };
}

function encodeNames({ directory, size }: Measured): Buffer {
  const entries = namesIn(directory).map((name) => {
    const node = name === "." ? directory : name === ".." ? directory.parent : directory.children.get(name);
    const { offset, type } = node ?? directory;
    return { name, number: offset / SLOT, type };
  });
  return encodeDirectory(entries, size);
}

function namesIn({ children }: Directory): readonly ByteString[] {
  return [...children.keys(), ".", ".."].sort();
}

function isDirectory(node: Directory | Leaf): node is Directory {
  return node.type === FILE_TYPE.directory;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
