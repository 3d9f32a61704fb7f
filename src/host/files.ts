import { readFileSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes the names in a directory outlive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}

/** A file reaches its name whole: written aside, synced, renamed, and the directory synced. */
export async function writeWhole(path: string, data: string | Uint8Array): Promise<void> {
  const aside = `${path}.${crypto.randomUUID()}.new`;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(aside, { force: true }));
  {
    await using file = await open(aside, "wx", 0o600);
    await file.writeFile(data);
    await file.sync();
  }
  await rename(aside, path);
  await syncDirectory(dirname(path));
}

/** Differs after every start of the machine. Source: random(4). */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
