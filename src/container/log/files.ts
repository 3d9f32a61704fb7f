import { type FileHandle, open, stat } from "node:fs/promises";

/** More rotated files than this are not looked for. */
const MOST_FILES = 1000;

/** A log file held open: rotation renames it, the handle stays. */
export interface OpenLog extends AsyncDisposable {
  readonly handle: FileHandle;
  readonly inode: number;
}

/** `path` for 0, `path.1` for the one before it, and so on. Undefined when there is none. */
export async function openLog(path: string, age: number): Promise<OpenLog | undefined> {
  try {
    const handle = await open(age === 0 ? path : `${path}.${age}`, "r");
    const { ino } = await handle.stat();
    return { handle, inode: ino, [Symbol.asyncDispose]: () => handle.close() };
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

/** All files there are, newest first. The caller closes them. */
export async function openAll(path: string): Promise<readonly OpenLog[]> {
  const files: OpenLog[] = [];
  for (let age = 0; age < MOST_FILES; age++) {
    const file = await openLog(path, age);
    if (file === undefined && age > 0) break;
    // A rotation between two opens shows the same file twice.
    if (file === undefined || files.some(({ inode }) => inode === file.inode)) await file?.handle.close();
    else files.push(file);
  }
  return files;
}

/** The file written after the one with this inode; the oldest there is when that one has been rotated away. */
export async function openNext(path: string, inode: number | undefined): Promise<OpenLog | undefined> {
  const newest = await stat(path).catch(() => undefined);
  if (newest === undefined || newest.ino === inode) return undefined;
  const files = await openAll(path);
  const known = files.findIndex((file) => file.inode === inode);
  const next = known < 0 ? files.at(-1) : files[known - 1];
  for (const file of files) if (file !== next) await file.handle.close();
  return next;
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
}
