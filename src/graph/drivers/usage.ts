import { lstat, readdir } from "node:fs/promises";

/** Bytes of all files below a directory; each inode counts once, holes do not count. */
export async function bytesBelow(directory: string): Promise<number> {
  const seen = new Set<number>();
  let total = 0;
  for (const pending = [directory]; ; ) {
    const next = pending.pop();
    if (next === undefined) return total;
    for (const entry of await readdir(next, { withFileTypes: true })) {
      const path = `${next}/${entry.name}`;
      if (entry.isDirectory()) pending.push(path);
      else if (entry.isFile()) {
        const { ino, nlink, size, blocks } = await lstat(path);
        if (nlink > 1 && seen.has(ino)) continue;
        if (nlink > 1) seen.add(ino);
        total += Math.min(size, blocks === 0 ? size : blocks * 512);
      }
    }
  }
}
