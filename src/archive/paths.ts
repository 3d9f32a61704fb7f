import { posix } from "node:path";

/**
 * How `cp` reads its paths: `/.` at the end means what is in a directory, `/` that it is a directory.
 * Source: docker docs, "docker container cp".
 */

/** Whether a path ends with `.` as a part of its own. */
export function namesContent(path: string): boolean {
  return /(^|\/)\.\/*$/.test(path) || path === "";
}

/** Whether a path can only be a directory's. */
export function namesDirectory(path: string): boolean {
  return path.endsWith("/") || namesContent(path);
}

/** A clean path with the end that it had before it was cleaned. */
export function keepEnd(clean: string, original: string): string {
  const slashed = clean.endsWith("/") ? clean : `${clean}/`;
  if (!namesContent(clean) && namesContent(original)) return `${slashed}.`;
  return original.endsWith("/") ? slashed : clean;
}

/** The same in a container, where every path starts at the root. */
export function insidePath(path: string): string {
  const clean = posix.normalize(`/${path}`);
  return keepEnd(clean === "/" ? clean : clean.replace(/\/+$/, ""), path);
}

/** Folder and last part, which is `.` for a path that names what is in a directory and "" for the root. */
export function splitPath(path: string): { readonly directory: string; readonly base: string } {
  const clean = posix.normalize(path).replace(/(?<=.)\/+$/, "");
  const whole = namesContent(path) && clean !== "." ? `${clean.replace(/\/$/, "")}/.` : clean;
  const slash = whole.lastIndexOf("/");
  return { directory: whole.slice(0, slash + 1), base: whole.slice(slash + 1) };
}
