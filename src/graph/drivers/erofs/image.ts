import { statfsSync } from "node:fs";
import { attachLoop, MS_NODEV, MS_NOSUID, MS_RDONLY, mount } from "#host";

/** Source: linux/magic.h. */
const EROFS_MAGIC = 0xe0f5e1e2;
/** Overlay has flags of its own: these keep the layer from being used by another way in. */
const FLAGS = MS_RDONLY | MS_NODEV | MS_NOSUID;

export function isErofs(path: string): boolean {
  return statfsSync(path).type === EROFS_MAGIC;
}

/** From the file itself since Linux 6.12, from a loop device that goes with the mount before. */
export function mountImage(image: string, target: string): void {
  const request = { type: "erofs", target, flags: FLAGS, options: [] };
  try {
    mount({ ...request, source: image });
  } catch {
    using device = attachLoop(image, { isReadonly: true });
    mount({ ...request, source: device.path });
  }
}
