import { chmod, chown, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

export interface DirectoryLook {
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Mount points that every container gets as genuine directories and files. Source: moby, daemon/initlayer. */
export const INIT_DIRECTORIES: readonly string[] = ["dev", "dev/pts", "dev/shm", "proc", "sys", "etc"];
export const INIT_FILES: readonly string[] = [
  "dev/console",
  "etc/hosts",
  "etc/hostname",
  "etc/resolv.conf",
  ".dockerenv",
];
export const INIT_LINKS: readonly (readonly [string, string])[] = [["etc/mtab", "/proc/mounts"]];

const LOOK: DirectoryLook = { mode: 0o755, uid: 0, gid: 0 };
const FILE_MODE = 0o755;

/** Makes the tree at a directory that does not exist yet; it appears whole. `looks` are the image's own directories. */
export async function makeInitLayer(
  directory: string,
  looks: ReadonlyMap<string, DirectoryLook>,
): Promise<void> {
  const aside = `${directory}.${crypto.randomUUID()}`;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(aside, { recursive: true, force: true }));
  await mkdir(aside, { recursive: true });
  await chmod(aside, LOOK.mode);
  for (const path of INIT_DIRECTORIES) {
    const { mode, uid, gid } = looks.get(path) ?? LOOK;
    await mkdir(`${aside}/${path}`);
    await chown(`${aside}/${path}`, uid, gid);
    await chmod(`${aside}/${path}`, mode);
  }
  await putInitFiles(aside);
  await rename(aside, directory).catch(ignoreExisting);
}

/** Files and links only, into a tree that has the directories. */
export async function putInitFiles(root: string): Promise<void> {
  for (const path of INIT_FILES) {
    await writeFile(`${root}/${path}`, "", { flag: "wx" });
    await chmod(`${root}/${path}`, FILE_MODE);
  }
  for (const [path, target] of INIT_LINKS) await symlink(target, `${root}/${path}`);
}

/** Whether a path, relative to the root, belongs to what every container gets. */
export function isInitPath(path: string): boolean {
  return (
    INIT_FILES.includes(path) || INIT_LINKS.some(([link]) => link === path) || INIT_DIRECTORIES.includes(path)
  );
}

function ignoreExisting(thrown: unknown): void {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  if (code !== "EEXIST" && code !== "ENOTEMPTY") throw thrown;
}

/** Directories above an init path, topmost first, without the path itself. */
export function parentsOf(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [...parentsOf(parent), parent];
}
