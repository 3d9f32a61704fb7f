import { mkdir, rmdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { MountPoint } from "#container";
import { Fault } from "#errors";
import { noSource } from "./mount-requests.ts";

/** Makes the missing host folders of binds. Disposing the result removes those that are still empty. */
export async function makeSources(mounts: readonly MountPoint[]): Promise<AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  for (const mount of mounts) {
    if (mount.type !== "bind" || (await isThere(mount.source))) continue;
    if (mount.createSource !== true) throw noSource(mount.source);
    const first = await make(mount.source);
    if (first !== undefined) undo.defer(() => removeEmpty(mount.source, first));
  }
  return undo.move();
}

async function make(path: string): Promise<string | undefined> {
  try {
    return await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new Fault(
      "invalid",
      `error while creating mount source path '${path}': mkdir ${path}: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** From the deepest up to the first that was made; one that has content by now stays, and those above it. */
async function removeEmpty(path: string, first: string): Promise<void> {
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) {
    try {
      await rmdir(folder);
    } catch {
      return;
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
