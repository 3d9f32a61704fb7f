import { constants } from "node:fs";
import { copyFile, type FileHandle, link, open } from "node:fs/promises";
import { type Digest, parseDigest } from "#oci";
import { type Content, hasherFor } from "./content.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, COPYFILE_EXCL, COPYFILE_FICLONE } = constants;
const READ_BYTES = 1024 * 1024;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Takes a blob over from another store of this host in the same layout, `<root>/<algorithm>/<hex>`: by a link where one
 * file system holds both, else by a copy. Nobody's word counts: it must be a plain file that only this user may write,
 * and it becomes a blob when all of it was read and is what its digest says. Whatever is not so is no error: it is fetched.
 */
export async function takeOver(
  content: Content,
  { digest, size, signal }: { readonly digest: Digest; readonly size: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const [algorithm, hex] = parseDigest(digest).split(":");
  for (const root of content.neighbours) {
    await using side = content.sideFile();
    if (!(await bring(`${root}/${algorithm}/${hex}`, side.path, size))) continue;
    if (!(await isWhole(side.path, { digest, size, signal }))) continue;
    await side.adopt(digest);
    return true;
  }
  return false;
}

/** Whether it lies under the new name now. */
async function bring(from: string, to: string, size: number): Promise<boolean> {
  try {
    await using file = await open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!(await isOurs(file, size))) return false;
    await link(from, to).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EXDEV" && error.code !== "EMLINK") throw error;
      return copyFile(`/proc/self/fd/${file.fd}`, to, COPYFILE_EXCL | COPYFILE_FICLONE);
    });
    return true;
  } catch {
    return false;
  }
}

/** What has been linked is looked at again: between our looking and our linking it may have become another file. */
async function isWhole(
  path: string,
  { digest, size, signal }: { readonly digest: Digest; readonly size: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined);
  if (file === undefined) return false;
  await using _ = file;
  if (!(await isOurs(file, size))) return false;
  const hash = hasherFor(digest);
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let position = 0;
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES, position);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  if (!digest.endsWith(`:${hash.digest("hex")}`)) return false;
  await file.sync();
  return true;
}

async function isOurs(file: FileHandle, size: number): Promise<boolean> {
  const found = await file.stat();
  const isSafe = found.uid === process.geteuid?.() && (found.mode & WRITABLE_BY_OTHERS) === 0;
  return found.isFile() && isSafe && found.size === size;
}
