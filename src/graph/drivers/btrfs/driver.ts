import { mkdir } from "node:fs/promises";
import type { GraphDriverKind } from "../../driver.ts";
import { backingFileSystem } from "../backing.ts";
import { openFull, type TreeMaker } from "../full/layers.ts";
import { limitSubvolume, releaseSubvolume } from "./limit.ts";
import { makeSubvolume, snapshot } from "./subvolume.ts";

/** Every layer is a snapshot of its parent, which takes no time and shares all blocks that stay the same. */
const snapshots: TreeMaker = {
  name: "btrfs",
  make: async (tree) => makeSubvolume(tree),
  copy: async (from, to) => snapshot(from, to),
  limitable: () => ({ usable: true }),
  limit: limitSubvolume,
  release: releaseSubvolume,
};

export const btrfs: GraphDriverKind = {
  name: snapshots.name,
  async probe(root) {
    await mkdir(root, { recursive: true, mode: 0o710 });
    const backing = await backingFileSystem(root);
    if (backing === "btrfs") return { usable: true };
    return { usable: false, reason: `${root} is on ${backing}, and snapshots need a btrfs` };
  },
  open: (root) => openFull(root, snapshots),
};
