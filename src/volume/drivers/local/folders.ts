import { mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";

/** Others may pass through, as through any shared folder, and not list. */
const ROOT_MODE = 0o711;
export const DATA = "_data";
export const DATA_MODE = 0o755;

/** How the names of folders begin in which content is made. */
const PARTS = [".making-", ".copy-up-"];

/** The host path of a volume's content. Source: Docker's layout, which people know. */
export function dataOf(root: string, name: string): string {
  return join(root, name, DATA);
}

/** Whether it was not there before. */
export async function makeFolder(root: string, name: string): Promise<boolean> {
  await mkdir(root, { recursive: true, mode: ROOT_MODE });
  return (await mkdir(dataOf(root, name), { recursive: true, mode: DATA_MODE })) !== undefined;
}

/** All but the data: what was to become it, and did not before the daemon's end. */
export async function removeParts(folder: string): Promise<void> {
  for (const name of await foldersIn(folder))
    if (PARTS.some((part) => name.startsWith(part)))
      await rm(join(folder, name), { recursive: true, force: true });
}

/** Of a volume that never came to be. Anything in it is somebody's, and stays. */
export async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(join(folder, DATA));
    await rmdir(folder);
  } catch {
    // It holds something.
  }
}

export async function foldersIn(root: string): Promise<readonly string[]> {
  try {
    return await readdir(root);
  } catch {
    return [];
  }
}
