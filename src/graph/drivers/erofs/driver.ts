import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { EROFS_IMAGE, writeEmptyErofs } from "#archive";
import { Fault, sentenceOf } from "#errors";
import { mount, mountsBelow, unmount } from "#host";
import type { GraphDriverKind, Verdict } from "../../driver.ts";
import type { LayerForm } from "../overlay/form.ts";
import { openLayers } from "../overlay/layers.ts";
import { overlayFeatures, probeOverlay } from "../overlay/probe.ts";
import { isErofs, mountImage } from "./image.ts";

const isShownImage = (path: string) => path.endsWith("/diff") && isErofs(path);

/**
 * Each image layer is one file, mounted on its `diff` when it is first wanted and from then on: all containers that
 * stand on it share what is cached of it. An overlay keeps what it stands on when it is unmounted here.
 */
const images: LayerForm = {
  name: "erofs",
  async fill(path, unpack) {
    await unpack({ directory: path, whiteouts: "erofs" });
    if (!existsSync(`${path}/${EROFS_IMAGE}`))
      throw new Fault("internal", "Cannot make a layer: nothing was unpacked");
  },
  fillEmpty: async (path) => writeEmptyErofs(path),
  show(root, shorts) {
    for (const short of shorts) {
      const diff = `${root}/${short}`;
      const image = `${diff}/../${EROFS_IMAGE}`;
      if (!isErofs(diff) && existsSync(image)) mountImage(image, diff);
    }
  },
  hide: (path) => unmount(`${path}/diff`),
  isShown: isShownImage,
  close(root) {
    for (const path of mountsBelow(root)) if (isShownImage(path)) unmount(path);
  },
};

/** Tries the real thing: an image under an overlay. */
async function probeErofs(root: string): Promise<Verdict> {
  const overlay = await probeOverlay(root);
  if (!overlay.usable) return overlay;
  try {
    await tryImage(`${root}/.probe-${crypto.randomUUID()}`);
    return { usable: true };
  } catch (thrown) {
    return { usable: false, reason: sentenceOf(thrown) };
  }
}

async function tryImage(directory: string): Promise<void> {
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  for (const name of ["lower", "upper", "work", "merged"])
    await mkdir(`${directory}/${name}`, { recursive: true });
  writeEmptyErofs(directory);
  mountImage(`${directory}/${EROFS_IMAGE}`, `${directory}/lower`);
  undo.defer(() => unmount(`${directory}/lower`));
  const target = `${directory}/merged`;
  const options = ["lowerdir+=lower", "upperdir=upper", "workdir=work", ...overlayFeatures()];
  mount({ type: "overlay", source: "overlay", target, flags: 0, options, directory });
  undo.defer(() => unmount(target));
}

export const erofs: GraphDriverKind = {
  name: images.name,
  probe: probeErofs,
  open: (root) => openLayers(root, images),
};
