import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { run } from "../fixtures/daemon.ts";

/** As much as the largest image needs a few times over; the file is sparse. */
const BYTES = 8 * 1024 ** 3;

/**
 * A new journaled ext4 at `<path>`, from a file beside it, and in it `run`, which is a tmpfs as a host's /run is. Each engine gets one of its own: an old file system is
 * slow where much has been deleted, and the one who comes last would pay for those before.
 */
export async function freshDisk(path: string): Promise<AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  const image = `${path}.img`;
  await writeFile(image, "");
  undo.defer(() => rm(image, { force: true }));
  await truncate(image, BYTES);
  await must("mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", image);
  await mkdir(path, { recursive: true });
  await must("mount", "-o", "loop", image, path);
  undo.defer(() => must("umount", "--lazy", path));
  await mkdir(`${path}/run`);
  await must("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", `${path}/run`);
  return undo.move();
}

async function must(...command: string[]): Promise<void> {
  const { code, stderr } = await run(command);
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${stderr}`);
}
