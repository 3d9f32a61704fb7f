import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#errors";
import type { VolumeDriver, VolumeDriverKind, VolumeRequest, VolumeView } from "../../driver.ts";
import { dataOf, foldersIn, makeFolder, removeEmpty, removeParts } from "./folders.ts";

/** Volumes in a folder of this host: `<root>/<name>/_data`. */
export const localVolumes: VolumeDriverKind = {
  name: "local",
  probe: async () => ({ usable: true }),
  open: async (root) => new LocalDriver(root),
};

class LocalDriver implements VolumeDriver {
  readonly name = "local";
  readonly scope = "local";
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async create({ name, options }: VolumeRequest): Promise<boolean> {
    const [option] = Object.keys(options);
    if (option !== undefined)
      throw new Fault(
        "invalid",
        `Cannot create the volume ${name}: the option "${option}" is not supported by the driver local`,
      );
    return makeFolder(this.#root, name);
  }

  async remove({ name }: VolumeRequest): Promise<void> {
    await rm(join(this.#root, name), { recursive: true, force: true });
  }

  needsMount(): boolean {
    return false;
  }

  async mount({ name }: VolumeRequest): Promise<string> {
    return dataOf(this.#root, name);
  }

  async unmount(): Promise<void> {}

  async inspect({ name }: VolumeRequest): Promise<VolumeView> {
    return { name, mountpoint: dataOf(this.#root, name) };
  }

  async list(): Promise<readonly VolumeView[]> {
    return [];
  }

  async sweep({ known }: { readonly known: ReadonlySet<string> }): Promise<void> {
    for (const name of await foldersIn(this.#root)) {
      const folder = join(this.#root, name);
      if (known.has(name)) await removeParts(folder);
      else await removeEmpty(folder);
    }
  }
}
