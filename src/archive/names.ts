import { Fault } from "#errors";
import type { ByteString } from "./entry.ts";

/** Source: limits.h; the kernel refuses longer ones in a single call. */
const PATH_LIMIT = 4095;
const NAME_LIMIT = 255;

/** The text of a byte string, for people. */
export function textOf(name: ByteString): string {
  return Buffer.from(name, "latin1").toString("utf8");
}

export function byteString(text: string): ByteString {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** What a system call takes. */
export function cString(name: ByteString): Buffer {
  return Buffer.from(`${name}\0`, "latin1");
}

/**
 * An entry's path relative to the root, without `.`, `..`, leading or double slashes; "" is the root itself.
 * Throws `invalid` when it climbs out, holds a NUL or is longer than the kernel takes.
 */
export function cleanPath(path: ByteString): ByteString {
  if (path.includes("\0")) throw refused(path, "its name contains a NUL byte");
  if (isClean(path)) return path;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part.length > NAME_LIMIT)
      throw refused(path, `a part of its name is longer than ${NAME_LIMIT} bytes`);
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) throw refused(path, "its name leads out of the archive");
  }
  const clean = parts.join("/");
  if (clean.length > PATH_LIMIT) throw refused(path, `its name is longer than ${PATH_LIMIT} bytes`);
  return clean;
}

/** The common case, decided without taking the path apart. */
function isClean(path: ByteString): boolean {
  return (
    path.length <= NAME_LIMIT &&
    path !== "." &&
    !path.endsWith("/") &&
    !/^\/|^\.\.?\/|\/\/|\/\.\.?(?:\/|$)|^\.\.$/.test(path)
  );
}

export function refused(path: ByteString, reason: string): Fault {
  const shown = textOf(path).slice(0, 200).replaceAll("\0", "\\0");
  return new Fault("invalid", `Cannot unpack ${JSON.stringify(shown)}: ${reason}`);
}

/** "" for a name at the top. */
export function parentOf(path: ByteString): ByteString {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

export function baseOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf("/") + 1);
}
