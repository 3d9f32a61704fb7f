import { lstatSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { basename, dirname } from "node:path";
import { Fault } from "#errors";
import { writeWhole } from "#host";
import type { LayerId } from "../../driver.ts";
import { directoryOf } from "../../layer-directory.ts";

/** The kernel stacks no more. Source: fs/overlayfs, OVL_MAX_STACK is 500; Docker's limit is 128. */
export const LAYERS_LIMIT = 128;

export const LINKS = "l";
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/*
 * What reads and writes a name or two does it at once: a system call takes a hundredth of what a turn through the pool of
 * threads takes, and a container's layer needs a dozen of them.
 */

/** Short names of layers, topmost first, relative to the driver's root: `l/ABC` or `.init/0123`. */
export type Stack = readonly string[];

/**
 * What a layer stands on, without itself. Kept as the target of a symbolic link, which journaled file systems
 * commit together with the names around it: no power cut leaves the file there and its contents not.
 */
export function stackBelow(root: string, layer: LayerId): Stack {
  const text = readOr(`${root}/${directoryOf(layer)}/lower`, "");
  return text === "" ? [] : text.split(":");
}

/** A layer that stands on nothing has no such link. XFS takes 1023 bytes as a link's target: what is longer is a file. */
export async function writeStack(path: string, stack: Stack): Promise<void> {
  if (stack.length === 0) return;
  const text = stack.join(":");
  try {
    symlinkSync(text, `${path}/lower`);
  } catch (thrown) {
    if (!isError(thrown, "ENAMETOOLONG")) throw thrown;
    await writeWhole(`${path}/lower`, text);
  }
}

/** What stands on a layer has this below. Throws `not_found` when the layer is not there. */
export function stackWith(root: string, layer: LayerId): Stack {
  const link = `${LINKS}/${shortName(layer)}`;
  if (!exists(`${root}/${link}`) || !exists(`${root}/${directoryOf(layer)}`))
    throw new Fault("not_found", `Cannot build on layer ${layer}: it is not in the graph`);
  const stack = [link, ...stackBelow(root, layer)];
  if (stack.length > LAYERS_LIMIT)
    throw new Fault("invalid", `Cannot stack more than ${LAYERS_LIMIT} layers: max depth exceeded`);
  return stack;
}

/** 60 bits of the id's hash: so short that 128 of them fit on one page, and the same when a layer is made again. */
export function shortName(layer: LayerId): string {
  const hash = new Bun.CryptoHasher("sha256").update(layer).digest();
  return [...hash.subarray(0, 12)].map((byte) => ALPHABET[byte & 31]).join("");
}

function readOr(path: string, missing: string): string {
  try {
    return readlinkSync(path);
  } catch (thrown) {
    if (isError(thrown, "ENOENT")) return missing;
    if (isError(thrown, "EINVAL")) return readFileSync(path, "utf8");
    throw thrown;
  }
}

function isError(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === code;
}

/** Where a short name leads, absolute. */
function resolveShort(root: string, short: string): string {
  if (!short.startsWith("l/")) return `${root}/${short}`;
  const target = readlinkSync(`${root}/${short}`);
  return `${root}/${basename(dirname(target))}/diff`;
}

export function resolveStack(root: string, stack: Stack): readonly string[] {
  return stack.map((short) => resolveShort(root, short));
}

/** Not following a link. */
export function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
