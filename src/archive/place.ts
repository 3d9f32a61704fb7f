import { constants, lstatSync, readlinkSync } from "node:fs";
import { posix } from "node:path";
import { Fault } from "#errors";
import {
  AT_FDCWD,
  changeDirectoryTo,
  close,
  errnoName,
  failedWith,
  must,
  O_PATH,
  openAt2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "#host";

/** Source: path_resolution(7), the kernel's own limit. */
const MOST_LINKS = 40;
/** A rename anywhere makes the kernel ask to be called again; whoever does that for ever gets an error. */
const MOST_TRIES = 128;

export interface Place {
  /** A name in the working directory, or "" for the working directory itself. */
  readonly entry: string;
  /** The last part of the path as it was asked for: `.` for one that ends with it, `/` for the root. */
  readonly name: string;
}

/**
 * Goes to a path of the container: into its folder, or for one that ends with `/` or `/.` into the directory itself.
 * Links are followed inside the root only, but for the last part. Throws `not_found` or `invalid`.
 */
export function goTo(path: string): Place {
  const name = posix.basename(path) || "/";
  const isDirectory = path.endsWith("/") || path.endsWith("/.");
  enterDirectory(isDirectory ? path : posix.dirname(path));
  return { entry: isDirectory ? "" : name, name };
}

/** Makes a directory of the container, and nothing else, the working directory. */
export function enterDirectory(path: string): void {
  const descriptor = openInRoot(path, O_PATH | constants.O_DIRECTORY);
  must(changeDirectoryTo(descriptor), () => `enter ${path}`);
  close(descriptor);
}

/** A descriptor; links are followed inside the root only, and never through procfs. */
export function openInRoot(path: string, flags: number): number {
  const root = must(openAt2(AT_FDCWD, "/", { flags: O_PATH | constants.O_DIRECTORY, resolve: 0 }), "open /");
  try {
    const how = { flags, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    let opened = openAt2(root, path, how);
    for (let tries = 0; tries < MOST_TRIES && failedWith(opened, "EAGAIN"); tries++)
      opened = openAt2(root, path, how);
    if (opened >= 0) return opened;
    throw unopened(path, opened);
  } finally {
    close(root);
  }
}

function unopened(path: string, result: number): Fault {
  if (failedWith(result, "ENOENT")) return new Fault("not_found", `${path}: no such file or directory`);
  if (failedWith(result, "ENOTDIR")) return new Fault("invalid", `${path}: not a directory`);
  if (failedWith(result, "ELOOP")) return new Fault("invalid", `${path}: too many levels of symbolic links`);
  return new Fault("internal", `Cannot open ${path} in the container: ${errnoName(result)}`);
}

/**
 * The path that a link leads to, as far as anything is there. Only something to be told: whoever goes there
 * resolves it anew.
 */
export function targetOf(path: string): string {
  const todo = path.split("/").reverse();
  let place = "/";
  let links = 0;
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    const next = posix.join(place, part);
    const link = linkAt(next);
    if (link === undefined) {
      place = next;
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) throw new Fault("invalid", `${path}: too many levels of symbolic links`);
    if (link.startsWith("/")) place = "/";
    todo.push(...link.split("/").reverse());
  }
  return place;
}

/** Undefined for what is no link, or not there. */
function linkAt(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}
