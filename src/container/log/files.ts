import { type FileHandle, open, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";

/** More rotated files than this are not looked for. */
const MOST_FILES = 1000;
/** So many numbers in a row that no file has end the search: while files are renamed one is missing for a moment. */
const MOST_MISSING = 3;
const BLOCK = 256 * 1024;
/** What the supervisor puts into the head of a packed file: the inode of what it packed. Source: RFC 1952, "Extra field". */
const PACKED_HEAD = 24;
const HAS_EXTRA = 4;

/** A log file held open: rotation renames it, the handle stays. */
export interface OpenLog extends AsyncDisposable {
  readonly handle: FileHandle;
  readonly inode: number;
  /** Of the file as it was written; of a packed one that is another than its own. */
  readonly origin: number | undefined;
  readonly isPacked: boolean;
}

/** `path` for 0, `path.1` for the one before it, and so on; packed ones end in `.gz`. Undefined when there is none. */
export async function openLog(path: string, age: number): Promise<OpenLog | undefined> {
  if (age === 0) return await openFile(path, false);
  // A packed file is there before the plain one goes.
  return (await openFile(`${path}.${age}`, false)) ?? (await openFile(`${path}.${age}.gz`, true));
}

async function openFile(path: string, isPacked: boolean): Promise<OpenLog | undefined> {
  try {
    const handle = await open(path, "r");
    const { ino: inode } = await handle.stat();
    const origin = isPacked ? await originOf(handle) : inode;
    return { handle, inode, origin, isPacked, [Symbol.asyncDispose]: () => handle.close() };
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

async function originOf(handle: FileHandle): Promise<number | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(PACKED_HEAD), 0, PACKED_HEAD, 0);
  const isOurs =
    bytesRead === PACKED_HEAD && buffer[3] === HAS_EXTRA && buffer.toString("latin1", 12, 14) === "BK";
  return isOurs ? Number(buffer.readBigUInt64LE(16)) : undefined;
}

/** All files there are, newest first. The caller closes them. */
export async function openAll(path: string): Promise<readonly OpenLog[]> {
  const files: OpenLog[] = [];
  let missing = 0;
  for (let age = 0; age < MOST_FILES && missing < MOST_MISSING; age++) {
    const file = await openLog(path, age);
    missing = file === undefined ? missing + 1 : 0;
    if (file === undefined) continue;
    if (await isAmong(files, file)) await file.handle.close();
    else files.push(file);
  }
  return files;
}

/** A rotation between two opens shows the same file twice, the second time perhaps as it was packed. */
async function isAmong(files: readonly OpenLog[], file: OpenLog): Promise<boolean> {
  if (files.some(({ inode }) => inode === file.inode)) return true;
  const namesake = file.isPacked
    ? files.find(({ isPacked, origin }) => !isPacked && origin === file.origin)
    : undefined;
  // A file made later may have got the number of one that was packed and removed; it has been written to since.
  return namesake !== undefined && (await writtenAt(namesake)) === (await writtenAt(file));
}

const writtenAt = async ({ handle }: OpenLog) => (await handle.stat({ bigint: true })).mtimeNs;

/** The file written after this one; the oldest there is when this one has been rotated away. */
export async function openNext(path: string, last: OpenLog | undefined): Promise<OpenLog | undefined> {
  const newest = await stat(path).catch(() => undefined);
  if (newest === undefined || newest.ino === last?.inode) return undefined;
  const files = await openAll(path);
  // As long as it is held open no later file can have its number; what a packed one was packed from is held by nobody.
  const isLast = ({ origin, inode, isPacked }: OpenLog) =>
    inode === last?.inode || (isPacked && last?.isPacked === false && origin === last.origin);
  const known = last === undefined ? -1 : files.findIndex(isLast);
  const next = known < 0 ? await oldestSince(files, last) : files[known - 1];
  for (const file of files) if (file !== next) await file.handle.close();
  return next;
}

/** The oldest that was written to after this one, which is gone: fallen off at its end, or removed by somebody. */
async function oldestSince(
  files: readonly OpenLog[],
  last: OpenLog | undefined,
): Promise<OpenLog | undefined> {
  const written = async ({ handle }: OpenLog) => (await handle.stat()).mtimeMs;
  const since = last === undefined ? 0 : await written(last);
  const times = await Promise.all(files.map(written));
  return files.findLast((_, index) => (times[index] ?? 0) >= since);
}

/** The bytes of a file from an offset on, up to `limit` or its present end. Each block is the reader's to keep. */
export async function* blocksOf(
  { handle, isPacked }: OpenLog,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): AsyncGenerator<Buffer> {
  if (isPacked) return yield* unpacked(handle, offset);
  for (let at = offset; at < limit; ) {
    const { size } = await handle.stat();
    const length = Math.min(BLOCK, limit - at, size - at);
    if (length <= 0) return;
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(length), 0, length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function* unpacked(handle: FileHandle, offset: number): AsyncGenerator<Buffer> {
  const packed = Readable.from(packedBlocks(handle), { objectMode: false });
  const plain = packed.pipe(createGunzip({ chunkSize: BLOCK }));
  packed.once("error", (thrown) => plain.destroy(thrown));
  let skip = offset;
  try {
    for await (const block of plain as AsyncIterable<Buffer>) {
      const taken = Math.min(skip, block.length);
      skip -= taken;
      if (taken < block.length) yield block.subarray(taken);
    }
  } finally {
    packed.destroy();
    plain.destroy();
  }
}

/** A stream of the handle's own would close it. */
async function* packedBlocks(handle: FileHandle): AsyncGenerator<Buffer> {
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(BLOCK), 0, BLOCK, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
}
