import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#errors";
import type { Change, GraphDriver, LayerId, Mounted, Verdict } from "#graph";

/** Layers are plain folders; the layers of images are not there at all. */
export class FakeGraphDriver implements GraphDriver {
  readonly name = "fake";
  readonly fillsInOrder = false;
  readonly layers = new Set<LayerId>();
  readonly mounted = new Map<string, number>();
  changesOf: readonly Change[] = [];
  createFailure: unknown;
  removeFailure: unknown;
  viewFailure: unknown;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async create(layer: LayerId): Promise<void> {
    if (this.createFailure !== undefined) throw this.createFailure;
    await mkdir(this.path(layer), { recursive: true });
    this.layers.add(layer);
  }

  async limitable(): Promise<Verdict> {
    return { usable: false, reason: "the fake counts nothing" };
  }

  async makeRoom(): Promise<Disposable> {
    return { [Symbol.dispose]() {} };
  }

  async has(layer: LayerId): Promise<boolean> {
    return this.layers.has(layer);
  }

  async fill(): Promise<void> {
    throw new Fault("unsupported", "The fake fills no layers");
  }

  async view(layer: LayerId) {
    if (this.viewFailure !== undefined) throw this.viewFailure;
    return { type: "bind", source: this.path(layer), flags: 0, options: [] };
  }

  async mount(layer: LayerId): Promise<Mounted> {
    const path = this.path(layer);
    this.mounted.set(path, (this.mounted.get(path) ?? 0) + 1);
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        this.mounted.set(path, (this.mounted.get(path) ?? 0) - 1);
      },
    };
  }

  async changes(): Promise<readonly Change[]> {
    return this.changesOf;
  }

  async stage(): Promise<never> {
    throw new Fault("unsupported", "The fake stages no layers");
  }

  async *diff(): AsyncGenerator<number> {
    yield 1024;
  }

  async size(): Promise<number> {
    return 10;
  }

  async remove(layer: LayerId): Promise<void> {
    if (this.removeFailure !== undefined) throw this.removeFailure;
    this.layers.delete(layer);
    await rm(this.path(layer), { recursive: true, force: true });
  }

  async list(): Promise<readonly LayerId[]> {
    return [...this.layers];
  }

  async data(): Promise<Readonly<Record<string, string>>> {
    return {};
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    return [["Backing Filesystem", "fake"]];
  }

  path(layer: LayerId): string {
    return join(this.#root, layer);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
