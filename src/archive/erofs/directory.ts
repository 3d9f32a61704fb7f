import type { ByteString } from "../entry.ts";
import { BLOCK, type FileType } from "./layout.ts";

const ENTRY_BYTES = 12;

export interface DirectoryEntry {
  readonly name: ByteString;
  /** The number of the inode. */
  readonly number: number;
  readonly type: FileType;
}

/** Bytes that a directory's names take, sorted as they will be written. */
export function directorySize(names: readonly ByteString[]): number {
  let [full, used] = [0, 0];
  for (const name of names) {
    const length = ENTRY_BYTES + name.length;
    if (used + length > BLOCK) [full, used] = [full + BLOCK, 0];
    used += length;
  }
  return full + used;
}

/** Blocks of entries, each with its names behind them; names sorted by their bytes, `.` and `..` among them. */
export function encodeDirectory(entries: readonly DirectoryEntry[], size: number): Buffer {
  const data = Buffer.alloc(size);
  for (let [first, at] = [0, 0]; first < entries.length; at += BLOCK) {
    const count = countInBlock(entries, first);
    encodeBlock(data.subarray(at), entries.slice(first, first + count));
    first += count;
  }
  return data;
}

function countInBlock(entries: readonly DirectoryEntry[], first: number): number {
  let count = 0;
  for (let used = 0; first + count < entries.length; count++) {
    used += ENTRY_BYTES + (entries[first + count]?.name.length ?? 0);
    if (used > BLOCK) break;
  }
  return count;
}

function encodeBlock(block: Buffer, entries: readonly DirectoryEntry[]): void {
  let name = entries.length * ENTRY_BYTES;
  for (const [index, entry] of entries.entries()) {
    const at = index * ENTRY_BYTES;
    block.writeBigUInt64LE(BigInt(entry.number), at);
    block.writeUInt16LE(name, at + 8);
    block.writeUInt8(entry.type, at + 10);
    name += block.write(entry.name, name, "latin1");
  }
}
