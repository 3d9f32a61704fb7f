import { posix } from "node:path";
import { namesDirectory, splitPath } from "#archive";
import { Fault } from "#errors";

/** What is copied: its path with the end it was given, and what to call it where its own name is not the right one. */
export interface Source {
  readonly path: string;
  readonly isDirectory: boolean;
  readonly rename?: string;
}

export interface Target {
  readonly path: string;
  readonly exists: boolean;
  readonly isDirectory: boolean;
}

/** The folder to unpack into, and the name that source's entry must have in the archive. */
export interface Placement {
  readonly directory: string;
  readonly name: string;
}

/**
 * Where a copy goes, by what source and target are. Throws `invalid` in Docker's words for a folder onto a file, and
 * for a file into a folder that is not there. Source: docker docs, "docker container cp".
 */
export function placementOf(source: Source, target: Target): Placement {
  const name = source.rename ?? entryName(source.path);
  if (target.exists && target.isDirectory) return { directory: target.path, name };
  if (target.exists && source.isDirectory) throw new Fault("invalid", "cannot copy directory");
  if (!target.exists && !source.isDirectory && namesDirectory(target.path))
    throw new Fault("invalid", "no such directory");
  const { directory, base } = splitPath(target.path);
  return { directory, name: base };
}

/** What an archive of this path calls it: `.` for what is in a directory, `/` for the root. */
export function entryName(path: string): string {
  return splitPath(path).base || "/";
}

/**
 * What a link's target is called by the end of the path that led to it, and by which name it must go in the copy:
 * that of the link.
 */
export function throughLink(path: string, resolved: string): Pick<Source, "path" | "rename"> {
  const content = /(^|\/)\.\/*$/;
  let end = resolved;
  if (content.test(path) && !content.test(end)) end += "/.";
  if (path.endsWith("/") && !end.endsWith("/")) end += "/";
  const name = lastPart(path);
  return name === lastPart(end) ? { path: end } : { path: end, rename: name };
}

export const lastPart = (path: string) => posix.basename(path) || "/";
