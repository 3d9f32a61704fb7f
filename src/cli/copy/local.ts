import type { Stats } from "node:fs";
import { posix } from "node:path";
import { keepEnd, splitPath } from "#archive";
import { Fault } from "#errors";
import { fs } from "../lazy-fs.ts";
import { lastPart, type Source, type Target, throughLink } from "./placement.ts";

const MOST_LINKS = 10;

/** The absolute path, with the end it was given. */
export function localPath(path: string): string {
  return keepEnd(posix.resolve(path), path);
}

/** Links before the last part are followed; the last too when asked. Throws `not_found` for what is not there. */
export function localSource(path: string, followsLink: boolean): Source {
  const found = followsLink
    ? throughLink(
        path,
        told(path, () => fs().realpathSync(path)),
      )
    : beside(path);
  return { ...found, isDirectory: told(path, () => fs().lstatSync(found.path)).isDirectory() };
}

function beside(path: string): Pick<Source, "path" | "rename"> {
  const slash = path.lastIndexOf("/");
  const folder = told(path, () => fs().realpathSync(path.slice(0, slash + 1)));
  const resolved = `${folder === "/" ? "" : folder}/${path.slice(slash + 1)}`;
  const isRenamed = path.endsWith("/") && lastPart(path) !== lastPart(resolved);
  return isRenamed ? { path: resolved, rename: lastPart(path) } : { path: resolved };
}

/** Where a link leads is what is written to, also when nothing is there yet; its folder must be. */
export function localTarget(path: string): Target {
  let at = path;
  let stats = statOf(at);
  for (let links = 0; stats?.isSymbolicLink(); links++) {
    if (links > MOST_LINKS) throw new Fault("invalid", `too many symlinks in ${path}`);
    const to = fs().readlinkSync(at);
    at = to.startsWith("/") ? to : posix.join(splitPath(at).directory, to);
    stats = statOf(at);
  }
  if (stats !== undefined) return { path: at, exists: true, isDirectory: stats.isDirectory() };
  const { directory } = splitPath(at);
  if (!told(directory, () => fs().statSync(directory)).isDirectory())
    throw new Fault("invalid", "not a directory");
  return { path: at, exists: false, isDirectory: false };
}

/** Throws in Docker's words unless a file or folder may be written there. */
export function checkOutput(path: string): void {
  const folder = posix.dirname(posix.normalize(path));
  if (statOf(folder) === undefined)
    throw new Fault("not_found", `invalid output path: directory ${JSON.stringify(folder)} does not exist`);
  const stats = fs().statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isDirectory() || stats.isFile()) return;
  const what = stats.isBlockDevice() || stats.isCharacterDevice() ? "got a device" : "got an irregular file";
  throw new Fault(
    "invalid",
    `invalid output path: ${JSON.stringify(path)} must be a directory or a regular file: ${what}`,
  );
}

function statOf(path: string): Stats | undefined {
  return told(path, () => fs().lstatSync(path, { throwIfNoEntry: false }));
}

function told<T>(path: string, look: () => T): T {
  try {
    return look();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code === "ENOENT")
      throw new Fault("not_found", `lstat ${path}: no such file or directory`, { cause });
    if (code === "ENOTDIR") throw new Fault("invalid", `lstat ${path}: not a directory`, { cause });
    if (code === "EACCES") throw new Fault("denied", `lstat ${path}: permission denied`, { cause });
    throw new Fault("invalid", `lstat ${path}: ${code}`, { cause });
  }
}
