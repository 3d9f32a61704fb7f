import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#errors";
import { mountsBelow } from "#host";
import type {
  VolumeContent,
  VolumeDriver,
  VolumeDriverKind,
  VolumeRequest,
  VolumeView,
} from "../../driver.ts";
import { LocalContent } from "./content.ts";
import { dataOf, foldersIn, makeFolder, removeEmpty, removeParts } from "./folders.ts";
import { isMounted, mountLocal, unmountLocal } from "./mounts.ts";
import { parseLocalOptions } from "./options.ts";
import { checkQuotas, liftLimit, limitSize, usageOf } from "./quota.ts";

/** Volumes in a folder of this host, `<root>/<name>/_data`: what is in it, or what is mounted on it. */
export const localVolumes: VolumeDriverKind = {
  name: "local",
  probe: async () => ({ usable: true }),
  open: async (root) => new LocalDriver(root),
};

class LocalDriver implements VolumeDriver {
  readonly name = "local";
  readonly scope = "local";
  readonly #root: string;
  /** Numbers of size limits are given out one at a time. */
  #limiting: Promise<unknown> = Promise.resolve();

  constructor(root: string) {
    this.#root = root;
  }

  async create({ name, options }: VolumeRequest): Promise<boolean> {
    const { sizeBytes } = parseLocalOptions(options);
    const isNew = await makeFolder(this.#root, name);
    if (sizeBytes === undefined) return isNew;
    try {
      checkQuotas(this.#root);
      await this.#limit(dataOf(this.#root, name), sizeBytes);
    } catch (thrown) {
      if (isNew) await this.remove({ name, options });
      throw thrown;
    }
    return isNew;
  }

  async #limit(directory: string, bytes: number): Promise<void> {
    const turn = () => limitSize(this.#root, directory, bytes);
    const mine = this.#limiting.then(turn, turn);
    this.#limiting = mine;
    await mine;
  }

  /** Never through a mount: what is mounted is not the volume's to remove. */
  async remove({ name, options }: VolumeRequest): Promise<void> {
    const folder = join(this.#root, name);
    for (const path of mountsBelow(folder)) await unmountLocal(path);
    const [left] = mountsBelow(folder);
    if (left !== undefined)
      throw new Fault("conflict", `Cannot remove the volume ${name}: ${left} is still mounted`);
    if ("size" in options) this.#lift(name);
    await rm(folder, { recursive: true, force: true });
  }

  #lift(name: string): void {
    try {
      liftLimit(this.#root, dataOf(this.#root, name));
    } catch {
      // It was removed as far as its content before, or never had its limit.
    }
  }

  needsMount({ options }: VolumeRequest): boolean {
    return "type" in options;
  }

  async mount({ name, options }: VolumeRequest): Promise<string> {
    const target = dataOf(this.#root, name);
    const { mount } = parseLocalOptions(options);
    if (mount === undefined || isMounted(this.#root, target)) return target;
    await mountLocal(mount, target);
    return target;
  }

  async unmount({ name, options }: VolumeRequest, { isLast }: { readonly isLast: boolean }): Promise<void> {
    const target = dataOf(this.#root, name);
    const { mount } = parseLocalOptions(options);
    if (isLast && mount !== undefined && isMounted(this.#root, target)) await unmountLocal(target, mount);
  }

  async inspect({ name, options }: VolumeRequest): Promise<VolumeView> {
    const mountpoint = dataOf(this.#root, name);
    const usage = "size" in options ? usageOf(this.#root, mountpoint) : undefined;
    return { name, mountpoint, ...(usage !== undefined && { status: usage }) };
  }

  content({ name, options }: VolumeRequest): VolumeContent | undefined {
    if (this.needsMount({ name, options })) return undefined;
    const { sizeBytes } = parseLocalOptions(options);
    return new LocalContent(join(this.#root, name), {
      limit: async (directory) => {
        if (sizeBytes !== undefined) await this.#limit(directory, sizeBytes);
      },
      lift: (directory) => {
        if (sizeBytes !== undefined) liftLimit(this.#root, directory);
      },
    });
  }

  async list(): Promise<readonly VolumeView[]> {
    return [];
  }

  async sweep(volumes: Parameters<VolumeDriver["sweep"]>[0]): Promise<void> {
    const held = [...volumes.mounted].map((name) => dataOf(this.#root, name));
    const isHeld = (path: string) => held.some((one) => path === one || path.startsWith(`${one}/`));
    for (const path of mountsBelow(this.#root)) if (!isHeld(path)) await unmountLocal(path);
    for (const name of await foldersIn(this.#root)) {
      const folder = join(this.#root, name);
      await removeParts(folder);
      if (!volumes.known.has(name)) await removeEmpty(folder);
    }
  }
}
