import type { Stats } from "node:fs";
import { constants } from "node:fs";
import { Fault } from "#errors";
import { AT_FDCWD, close, failedWith, O_PATH, openAt2, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS } from "#host";
import type { ByteString, Entry } from "./entry.ts";
import { cString, parentOf, refused, textOf } from "./names.ts";

/** How an archive's entries are put into a tree that is not the archive's own. */
export interface Placing {
  /** Whose everything becomes rather than the entry's; `nobody` in particular: whoever makes it. */
  readonly owner?: { readonly uid: number; readonly gid: number } | "nobody";
  /** A directory stays a directory, and nothing else becomes one. */
  readonly keepsKinds?: boolean;
  /** The directory that is unpacked into keeps its own mode, owner and times. */
  readonly keepsRoot?: boolean;
  /** The process is not confined: no link may lead out of the working directory. */
  readonly isBound?: boolean;
  /** The first part of each name, and what it becomes. */
  readonly rename?: { readonly from: ByteString; readonly to: ByteString };
}

export function placed(entry: Entry, { owner, rename }: Placing): Entry {
  if (owner === undefined && rename === undefined) return entry;
  const owned = owner === undefined || owner === "nobody" ? entry : { ...entry, ...owner };
  if (rename === undefined) return owned;
  const target = entry.type === "hardlink" ? renamed(entry.target, rename) : entry.target;
  return { ...owned, path: renamed(entry.path, rename), target };
}

/** `./x` and `/x` have the first parts `.` and `/`. Names that begin otherwise stay. */
export function renamed(path: ByteString, { from, to }: NonNullable<Placing["rename"]>): ByteString {
  if (from === "/") return `${to}/${path.replace(/^\/+/, "")}`;
  if (path === from) return to;
  return path.startsWith(`${from}/`) ? `${to}${path.slice(from.length)}` : path;
}

/** The directories that lead to a path, as far as they are there, are below the working directory. */
export function demandBeneath(path: ByteString): void {
  const how = {
    flags: O_PATH | constants.O_DIRECTORY,
    resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
  };
  for (let parent = parentOf(path); parent !== ""; parent = parentOf(parent)) {
    const found = openAt2(AT_FDCWD, cString(parent), how);
    if (found >= 0) {
      close(found);
      return;
    }
    if (!failedWith(found, "ENOENT")) throw refused(path, "a link among its parents leads out");
    demandNoLink(parent, path);
  }
}

/** What is not there to be followed may still be a link to what is not there yet. */
function demandNoLink(parent: ByteString, path: ByteString): void {
  const flags = O_PATH | constants.O_NOFOLLOW;
  const found = openAt2(AT_FDCWD, cString(parent), { flags, resolve: RESOLVE_BENEATH });
  if (found < 0) return;
  close(found);
  throw refused(path, "a link among its parents leads nowhere");
}

/** Throws `invalid` in Docker's words when a directory would take the place of something else, or the other way round. */
export function demandKind(
  path: ByteString,
  { present, entry }: { readonly present: Stats; readonly entry: Entry },
): void {
  const [was, becomes] = [present.isDirectory(), entry.type === "directory"];
  if (was === becomes) return;
  const [old, next] = was ? ["directory", "non-directory"] : ["non-directory", "directory"];
  const name = JSON.stringify(`/${textOf(path)}`);
  throw new Fault(
    "invalid",
    `cannot overwrite ${old} ${name} with ${next} ${JSON.stringify(textOf(entry.path))}`,
  );
}
