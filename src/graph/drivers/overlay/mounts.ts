import { mkdir, rmdir } from "node:fs/promises";
import { mount, mountsBelow, unmount } from "#host";
import type { MountSpec } from "#oci";
import type { LayerId, Mounted } from "../../driver.ts";

interface Held {
  count: number;
  readonly ready: Promise<void>;
}

/** Mounts of layers on the host, counted: the last to let go unmounts. */
export class Mounts {
  readonly #held = new Map<LayerId, Held>();

  /** Takes away what a process that died left mounted, but for what may stay. */
  constructor(root: string, mayStay: (path: string) => boolean) {
    for (const path of mountsBelow(root)) if (!mayStay(path)) unmount(path);
  }

  async hold(layer: LayerId, path: string, view: () => Promise<MountSpec>): Promise<Mounted> {
    const held = this.#held.get(layer) ?? { count: 0, ready: place(path, view) };
    held.count++;
    this.#held.set(layer, held);
    try {
      await held.ready;
    } catch (thrown) {
      this.#held.delete(layer);
      throw thrown;
    }
    let isReleased = false;
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        if (isReleased) return;
        isReleased = true;
        await this.#release(layer, path);
      },
    };
  }

  isHeld(layer: LayerId): boolean {
    return this.#held.has(layer);
  }

  async #release(layer: LayerId, path: string): Promise<void> {
    const held = this.#held.get(layer);
    if (held === undefined || --held.count > 0) return;
    this.#held.delete(layer);
    unmount(path);
    await rmdir(path).catch(() => {});
  }
}

async function place(path: string, view: () => Promise<MountSpec>): Promise<void> {
  const spec = await view();
  await mkdir(path, { recursive: true, mode: 0o700 });
  mount({ ...spec, target: path });
}
