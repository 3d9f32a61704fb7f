import { lstat, readFile, readlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { Fault } from "#errors";
import type { LayerId } from "../../driver.ts";
import { directoryOf } from "../layer-directory.ts";

/** The kernel stacks no more. Source: fs/overlayfs, OVL_MAX_STACK is 500; Docker's limit is 128. */
export const LAYERS_LIMIT = 128;

/** Short names of layers, topmost first, relative to the driver's root: `l/ABC` or `.init/0123`. */
export type Stack = readonly string[];

/** What a layer stands on, without itself. Throws `not_found`. */
export async function stackBelow(root: string, layer: LayerId): Promise<Stack> {
  const text = await readOr(`${root}/${directoryOf(layer)}/lower`, "");
  return text === "" ? [] : text.split(":");
}

/** What stands on a layer has this below. Throws `not_found` when the layer is not there or is not to stand upon. */
export async function stackWith(root: string, layer: LayerId): Promise<Stack> {
  const link = await readOr(`${root}/${directoryOf(layer)}/link`, "");
  if (link === "") throw new Fault("not_found", `Cannot build on layer ${layer}: it is not in the graph`);
  const stack = [`l/${link}`, ...(await stackBelow(root, layer))];
  if (stack.length > LAYERS_LIMIT)
    throw new Fault("invalid", `Cannot stack more than ${LAYERS_LIMIT} layers: max depth exceeded`);
  return stack;
}

async function readOr(path: string, missing: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return missing;
    throw thrown;
  }
}

/** Where a short name leads, absolute. */
export async function resolveShort(root: string, short: string): Promise<string> {
  if (!short.startsWith("l/")) return `${root}/${short}`;
  const target = await readlink(`${root}/${short}`);
  return `${root}/${basename(dirname(target))}/diff`;
}

export async function resolveStack(root: string, stack: Stack): Promise<readonly string[]> {
  return Promise.all(stack.map((short) => resolveShort(root, short)));
}

export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
