import { constants, lstatSync, readdirSync, type Stats } from "node:fs";
import { AT_FDCWD, AT_REMOVEDIR, failedWith, makeDirectoryAt, must, unlinkAt } from "#host";
import type { ByteString } from "./entry.ts";
import { cString, parentOf, refused, textOf } from "./names.ts";

/** Paths are relative to the working directory, which is the root of the process. */

/** The entry itself, never what a link points at; undefined when there is none. */
export function lookAt(path: ByteString): Stats | undefined {
  try {
    return lstatSync(Buffer.from(path === "" ? "." : path, "latin1"), { throwIfNoEntry: false });
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOTDIR") return undefined;
    throw thrown;
  }
}

/** A 0:0 character device: how overlayfs keeps "there is nothing here". */
export function isWhiteout(stats: Pick<Stats, "mode" | "rdev">): boolean {
  return (stats.mode & constants.S_IFMT) === constants.S_IFCHR && stats.rdev === 0;
}

export function namesIn(directory: ByteString): readonly ByteString[] {
  const path = Buffer.from(directory === "" ? "." : directory, "latin1");
  return readdirSync(path, { encoding: "buffer" }).map((name) => Buffer.from(name).toString("latin1"));
}

/** Makes the directories that lead to a path and that the archive did not mention. */
export function makeParents(path: ByteString): void {
  const parent = parentOf(path);
  if (parent === "") return;
  const result = makeDirectoryAt(AT_FDCWD, cString(parent), 0o755);
  if (result >= 0) return;
  if (failedWith(result, "ENOENT")) {
    makeParents(parent);
    const again = makeDirectoryAt(AT_FDCWD, cString(parent), 0o755);
    if (failedWith(again, "EEXIST")) throw refused(path, "a link among its parents leads nowhere");
    must(again, () => `make ${textOf(parent)}`);
  } else if (!failedWith(result, "EEXIST")) must(result, () => `make ${textOf(parent)}`);
}

/**
 * Removes a whole tree, however deep, but for what `keep` names. Nothing there is success. Returns whether
 * everything went.
 */
export function removeTree(path: ByteString, keep: (path: ByteString) => boolean = () => false): boolean {
  if (keep(path)) return false;
  const result = unlinkAt(AT_FDCWD, cString(path));
  if (result >= 0 || failedWith(result, "ENOENT") || failedWith(result, "ENOTDIR")) return true;
  if (!failedWith(result, "EISDIR") && !failedWith(result, "EPERM"))
    must(result, () => `remove ${textOf(path)}`);
  const isEmpty = namesIn(path).reduce((all, name) => removeTree(`${path}/${name}`, keep) && all, true);
  if (isEmpty) must(unlinkAt(AT_FDCWD, cString(path), AT_REMOVEDIR), () => `remove ${textOf(path)}`);
  return isEmpty;
}
