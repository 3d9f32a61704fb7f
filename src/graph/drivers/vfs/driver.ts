import { mkdir } from "node:fs/promises";
import type { GraphDriverKind } from "../../driver.ts";
import { openFull, type TreeMaker } from "../full/layers.ts";
import { copyTree } from "./copy.ts";

/** Every layer is a full copy of its parent: slow and large, and works on every file system. */
const copies: TreeMaker = {
  name: "vfs",
  make: async (tree) => void (await mkdir(tree)),
  copy: copyTree,
  limitable: () => ({
    usable: false,
    reason:
      "the storage driver vfs gives every container a whole copy of its image, and counts not what is written to it; use overlay2 on xfs mounted with pquota, or btrfs on a btrfs",
  }),
  limit: () => {},
  release: () => () => {},
};

export const vfs: GraphDriverKind = {
  name: copies.name,
  async probe() {
    return { usable: true };
  },
  open: (root) => openFull(root, copies),
};
