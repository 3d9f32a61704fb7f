import type { GraphDriverKind } from "../../driver.ts";
import type { LayerForm } from "../overlay/form.ts";
import { openLayers } from "../overlay/layers.ts";
import { probeOverlay } from "../overlay/probe.ts";

/** Each image layer is a directory; the layout on disk is Docker's own. */
const trees: LayerForm = {
  name: "overlay2",
  fill: (path, unpack) => unpack({ directory: `${path}/diff`, whiteouts: "overlay" }),
  fillEmpty: async () => {},
  show: () => {},
  hide: () => {},
  isShown: () => false,
  close: () => {},
};

export const overlay2: GraphDriverKind = {
  name: trees.name,
  probe: probeOverlay,
  open: (root) => openLayers(root, trees),
};
