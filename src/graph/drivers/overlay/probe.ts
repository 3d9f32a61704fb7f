import { existsSync } from "node:fs";
import { mkdir, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { sentenceOf } from "#errors";
import { mount, unmount } from "#host";
import type { Verdict } from "../../driver.ts";
import { backingFileSystem } from "../backing.ts";

const PARAMETERS = "/sys/module/overlay/parameters";
/** What must be off for a layer to be a plain tree that also reads well without overlayfs. */
const WANTED: readonly (readonly [string, string])[] = [
  ["index", "index=off"],
  ["metacopy", "metacopy=off"],
  ["redirect_dir", "redirect_dir=nofollow"],
];

/** The options that this kernel understands. */
export function overlayFeatures(): readonly string[] {
  return WANTED.filter(([parameter]) => existsSync(`${PARAMETERS}/${parameter}`)).map(([, option]) => option);
}

/** Tries the real thing: a mount, a write and a whiteout. */
export async function probeOverlay(root: string): Promise<Verdict> {
  const systems = await readFile("/proc/filesystems", "utf8");
  const isListed = systems.split("\n").some((line) => line.endsWith("\toverlay"));
  await mkdir(root, { recursive: true, mode: 0o710 });
  const backing = await backingFileSystem(root);
  if (backing === "overlayfs" || backing === "nfs" || backing === "fuse")
    return { usable: false, reason: `${root} is on ${backing}, which overlay cannot write upon` };
  try {
    await tryOverlay(`${root}/.probe-${crypto.randomUUID()}`);
    return { usable: true };
  } catch (thrown) {
    const missing = isListed ? "" : "this kernel lists no overlay file system; ";
    return { usable: false, reason: `${missing}${sentenceOf(thrown)}` };
  }
}

async function tryOverlay(directory: string): Promise<void> {
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  for (const name of ["a", "b", "upper", "work", "merged"])
    await mkdir(`${directory}/${name}`, { recursive: true });
  await writeFile(`${directory}/a/below`, "");
  const target = `${directory}/merged`;
  const options = ["lowerdir+=b", "lowerdir+=a", "upperdir=upper", "workdir=work", ...overlayFeatures()];
  mount({ type: "overlay", source: "overlay", target, flags: 0, options, directory });
  undo.defer(() => unmount(target));
  await writeFile(`${target}/above`, "");
  await unlink(`${target}/below`);
}
