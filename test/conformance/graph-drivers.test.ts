import { afterAll } from "bun:test";
import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { btrfs, erofs, fuseOverlayfs, overlay2, vfs } from "#graph";
import { scratch } from "../fakes/scratch.ts";
import { run } from "../fixtures/daemon.ts";
import { requirePackages } from "../fixtures/packages.ts";
import { graphDriverConformance } from "./graph-driver.ts";

const DISK_BYTES = 1024 ** 3;
await using undo = new AsyncDisposableStack();

await graphDriverConformance(overlay2);
await graphDriverConformance(erofs);
await graphDriverConformance(vfs);
if (process.getuid?.() === 0) {
  await requirePackages(["btrfs-progs", "fuse-overlayfs", "xfsprogs"]);
  await graphDriverConformance(fuseOverlayfs);
  await graphDriverConformance(btrfs, await disk("btrfs"));
  await graphDriverConformance(overlay2, await disk("xfs"));
  await graphDriverConformance(erofs, await disk("xfs"));
} else {
  await graphDriverConformance(btrfs);
  await graphDriverConformance(fuseOverlayfs);
}

const disks = undo.move();
afterAll(() => disks.disposeAsync());

/** A file system of its own; where it cannot be mounted the machine's own is used, and drivers say what they lack. */
async function disk(what: string): Promise<{ readonly path: string; readonly what: string } | undefined> {
  const place = undo.use(await scratch());
  const [image, path] = [`${place.path}/image`, `${place.path}/mounted`];
  await writeFile(image, "");
  undo.defer(() => rm(image, { force: true }));
  await truncate(image, DISK_BYTES);
  await mkdir(path);
  for (const command of [
    [`mkfs.${what}`, image],
    ["mount", "-o", "loop", image, path],
  ]) {
    const { code, stderr } = await run(command);
    if (code === 0) continue;
    process.stderr.write(`test: no ${what}: ${command[0]} ended with ${code}: ${stderr}\n`);
    return undefined;
  }
  undo.defer(async () => void (await run(["umount", path])));
  return { path, what };
}
