/**
 * EROFS as it lies on disk: little endian, blocks of 4 KiB, nothing compressed. An inode is anywhere on a multiple of
 * 32 bytes, and its number says where. Source: Linux, fs/erofs/erofs_fs.h; Documentation/filesystems/erofs.rst.
 */

export const BLOCK = 4096;
/** What inode numbers count. */
export const SLOT = 32;
export const INODE_BYTES = 64;
export const SUPERBLOCK_OFFSET = 1024;
/** The number of the root's inode has 16 bits: it lies right behind the superblock. */
export const ROOT_OFFSET = SUPERBLOCK_OFFSET + 128;
/** Block addresses have 32 bits. */
export const BLOCKS_LIMIT = 2 ** 32 - 2;
/** The address of a chunk that is not there. */
export const HOLE = 0xffff_ffff;

const MAGIC = 0xe0f5e1e2;
const BLOCK_BITS = 12;
/** Times are those of the last modification. */
const COMPAT_MTIME = 2;
const INCOMPAT_CHUNKED = 4;
const VERSION_EXTENDED = 1;
const HIGH = 2 ** 32;

/** Where an inode's data is: in blocks of its own, right behind the inode, or in chunks with holes between. */
export const LAYOUT = { plain: 0, inline: 2, chunks: 4 } as const;
export type DataLayout = keyof typeof LAYOUT;

/** What a directory says of an entry. Source: Linux, include/linux/fs_types.h. */
export const FILE_TYPE = {
  file: 1,
  directory: 2,
  character: 3,
  block: 4,
  fifo: 5,
  symlink: 7,
} as const;
export type FileType = (typeof FILE_TYPE)[keyof typeof FILE_TYPE];

export interface Inode {
  readonly layout: DataLayout;
  /** With the type of the file. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly modified: { readonly seconds: number; readonly nanoseconds: number };
  /** The first block of the data, the device, or what the chunks are like. */
  readonly where: number;
  readonly links: number;
  /** As `encodeAttributes` made it. */
  readonly attributes: Buffer;
}

/** Where the number of names stands in an inode. */
export const LINKS_OFFSET = 44;

/** The inode and its attributes; what follows them is the caller's. */
export function encodeInode(inode: Inode, serial: number): Buffer {
  return writeInode(Buffer.alloc(INODE_BYTES + inode.attributes.length), inode, serial);
}

/** The same at the start of a record that is zeros, or another inode's. */
export function writeInode(record: Buffer, inode: Inode, serial: number): Buffer {
  const { attributes, modified } = inode;
  record.writeUInt16LE(VERSION_EXTENDED | (LAYOUT[inode.layout] << 1), 0);
  record.writeUInt16LE(attributes.length === 0 ? 0 : (attributes.length - 12) / 4 + 1, 2);
  record.writeUInt16LE(inode.mode, 4);
  record.writeUInt32LE(inode.size >>> 0, 8);
  record.writeUInt32LE(Math.floor(inode.size / HIGH), 12);
  record.writeUInt32LE(inode.where, 16);
  record.writeUInt32LE(serial >>> 0, 20);
  record.writeUInt32LE(ownerOf(inode.uid), 24);
  record.writeUInt32LE(ownerOf(inode.gid), 28);
  record.writeUInt32LE(modified.seconds >>> 0, 32);
  record.writeInt32LE(Math.floor(modified.seconds / HIGH), 36);
  record.writeUInt32LE(modified.nanoseconds, 40);
  record.writeUInt32LE(inode.links, LINKS_OFFSET);
  if (attributes.length > 0) attributes.copy(record, INODE_BYTES);
  return record;
}

/** As chown(2) takes it: 32 bits, and all of them set leave what was there, which is root. */
function ownerOf(id: number): number {
  const number = id >>> 0;
  return number === 0xffff_ffff ? 0 : number;
}

export interface Superblock {
  readonly inodes: number;
  readonly blocks: number;
  readonly hasChunks: boolean;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
}

export function encodeSuperblock({ inodes, blocks, hasChunks, uuid }: Superblock): Buffer {
  const block = Buffer.alloc(ROOT_OFFSET - SUPERBLOCK_OFFSET);
  block.writeUInt32LE(MAGIC, 0);
  block.writeUInt32LE(COMPAT_MTIME, 8);
  block.writeUInt8(BLOCK_BITS, 12);
  block.writeUInt16LE(ROOT_OFFSET / SLOT, 14);
  block.writeBigUInt64LE(BigInt(inodes), 16);
  block.writeUInt32LE(blocks, 36);
  block.set(uuid, 48);
  block.writeUInt32LE(hasChunks ? INCOMPAT_CHUNKED : 0, 80);
  return block;
}

export function blocksFor(bytes: number): number {
  return Math.ceil(bytes / BLOCK);
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
