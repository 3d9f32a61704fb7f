import { constants } from "node:fs";
import { AT_FDCWD, failedWith, makeNodeAt, must, setAttribute } from "#host";
import type { ByteString } from "./entry.ts";
import { baseOf, cString, parentOf, refused, textOf } from "./names.ts";
import { isWhiteout, lookAt, makeParents, namesIn, removeTree } from "./tree.ts";

/** How "this is gone" is expressed in the directory that is unpacked into. */
export type WhiteoutStyle = "overlay" | "delete" | "keep";

const PREFIX = ".wh.";
const META = ".wh..wh.";
const OPAQUE = ".wh..wh..opq";
/** What fuse-overlayfs puts into a directory that hides what lies below it, beside the attribute that says the same. */
export const OPAQUE_MARKS: readonly string[] = [OPAQUE, ".wh..opq"];

/** Source: OCI image specification, layer.md, "Whiteouts". */
export interface Whiteouts {
  /** Whether the entry was a mark and is dealt with. */
  apply(path: ByteString): boolean;
  /** A directory takes the place of a whiteout: nothing of the layers below shows through it. */
  replacedByDirectory(path: ByteString): void;
}

/** What a whiteout's name says: that something is gone, that a directory hides what lies below it, or nothing to us. */
export type Mark =
  | { readonly kind: "gone"; readonly path: ByteString }
  | { readonly kind: "opaque"; readonly directory: ByteString }
  | { readonly kind: "other" };

/** Undefined when the path is no mark. Throws `invalid` when it marks no name. */
export function markOf(path: ByteString): Mark | undefined {
  const base = baseOf(path);
  if (!base.startsWith(PREFIX)) return undefined;
  if (base === OPAQUE) return { kind: "opaque", directory: parentOf(path) };
  return base.startsWith(META) ? { kind: "other" } : { kind: "gone", path: hiddenBy(path, base) };
}

/** `made` tells what this archive itself has brought: whiteouts speak of the layers below only. */
export function whiteoutsFor(style: WhiteoutStyle, made: (path: ByteString) => boolean): Whiteouts {
  if (style === "keep") return { apply: () => false, replacedByDirectory: () => {} };
  const isOverlay = style === "overlay";
  const hide = isOverlay ? markGone : (path: ByteString) => void removeTree(path, made);
  const empty = isOverlay ? markOpaque : (directory: ByteString) => removeChildren(directory, made);
  return {
    apply(path) {
      const mark = markOf(path);
      if (mark?.kind === "opaque") empty(mark.directory);
      else if (mark?.kind === "gone") hide(mark.path);
      return mark !== undefined;
    },
    replacedByDirectory(path) {
      if (isOverlay) markOpaque(path);
    },
  };
}

function hiddenBy(path: ByteString, base: ByteString): ByteString {
  const name = base.slice(PREFIX.length);
  if (name === "" || name === "." || name === "..") throw refused(path, "it marks no name as removed");
  const parent = parentOf(path);
  return parent === "" ? name : `${parent}/${name}`;
}

function markGone(path: ByteString): void {
  const present = lookAt(path);
  if (present?.isDirectory()) markOpaque(path);
  if (present !== undefined) return;
  makeParents(path);
  const result = makeNodeAt(AT_FDCWD, cString(path), constants.S_IFCHR, 0);
  must(result, () => `mark ${textOf(path)} as removed`);
}

function markOpaque(directory: ByteString): void {
  if (directory !== "") makeParents(`${directory}/x`);
  const present = lookAt(directory);
  if (present === undefined || isWhiteout(present) || !present.isDirectory())
    throw refused(directory, "it is to hide what lies below and is no directory");
  const result = setAttribute(
    cString(directory === "" ? "." : directory),
    "trusted.overlay.opaque",
    Buffer.from("y"),
  );
  if (!failedWith(result, "ENOENT")) must(result, () => `mark ${textOf(directory)} as opaque`);
}

function removeChildren(directory: ByteString, made: (path: ByteString) => boolean): void {
  const present = lookAt(directory);
  if (!present?.isDirectory()) return;
  for (const name of namesIn(directory)) removeTree(directory === "" ? name : `${directory}/${name}`, made);
}
