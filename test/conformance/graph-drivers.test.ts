import { afterAll } from "bun:test";
import { btrfs, erofs, fuseOverlayfs, overlay2, vfs } from "#graph";
import { type DiskKind, limitedDisk } from "../fixtures/limited-disk.ts";
import { requirePackages } from "../fixtures/packages.ts";
import { graphDriverConformance } from "./graph-driver.ts";

await using undo = new AsyncDisposableStack();

const isRoot = process.getuid?.() === 0;
if (isRoot) await requirePackages(["btrfs-progs", "e2fsprogs", "fuse-overlayfs", "xfsprogs"]);
/** With limits where the kernel has them. */
const ext4 = await disk("ext4", { mayLack: false });
await graphDriverConformance(overlay2, ext4);
await graphDriverConformance(erofs);
await graphDriverConformance(vfs);
await graphDriverConformance(fuseOverlayfs, ext4);
if (isRoot) {
  await graphDriverConformance(btrfs, await disk("btrfs"));
  const xfs = await disk("xfs");
  await graphDriverConformance(overlay2, xfs);
  await graphDriverConformance(erofs, xfs);
} else await graphDriverConformance(btrfs);

const disks = undo.move();
afterAll(() => disks.disposeAsync());

/** A file system of its own; where it cannot be mounted the machine's own is used, and drivers say what they lack. */
async function disk(
  what: DiskKind,
  { mayLack }: { readonly mayLack: boolean } = { mayLack: true },
): Promise<{ readonly path: string; readonly what: string } | undefined> {
  const found = await limitedDisk(what, { size: "1G", mayLack });
  if (typeof found !== "string") return { path: undo.use(found).path, what };
  process.stderr.write(`test: no ${what}: ${found}\n`);
  return undefined;
}
