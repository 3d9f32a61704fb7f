import { afterAll } from "bun:test";
import { btrfs, erofs, fuseOverlayfs, overlay2, vfs } from "#graph";
import { type DiskKind, limitedDisk } from "../fixtures/limited-disk.ts";
import { requirePackages } from "../fixtures/packages.ts";
import { graphDriverConformance } from "./graph-driver.ts";

await using undo = new AsyncDisposableStack();

await graphDriverConformance(overlay2);
await graphDriverConformance(erofs);
await graphDriverConformance(vfs);
if (process.getuid?.() === 0) {
  await requirePackages(["btrfs-progs", "fuse-overlayfs", "xfsprogs"]);
  await graphDriverConformance(fuseOverlayfs);
  await graphDriverConformance(btrfs, await disk("btrfs"));
  const xfs = await disk("xfs");
  await graphDriverConformance(overlay2, xfs);
  await graphDriverConformance(erofs, xfs);
} else {
  await graphDriverConformance(btrfs);
  await graphDriverConformance(fuseOverlayfs);
}

const disks = undo.move();
afterAll(() => disks.disposeAsync());

/** A file system of its own; where it cannot be mounted the machine's own is used, and drivers say what they lack. */
async function disk(what: DiskKind): Promise<{ readonly path: string; readonly what: string } | undefined> {
  const found = await limitedDisk(what, { size: "1G", mayLack: true });
  if (typeof found !== "string") return { path: undo.use(found).path, what };
  process.stderr.write(`test: no ${what}: ${found}\n`);
  return undefined;
}
