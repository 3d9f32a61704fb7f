import { existsSync } from "node:fs";
import { Fault } from "#errors";
import type { GraphDriver, LayerId, NewLayer, StagedLayer, UnpackTarget, Verdict } from "./driver.ts";
import type { Durability } from "./durability.ts";
import { directoryOf } from "./layer-directory.ts";
import type { LayerTable } from "./layer-table.ts";

export interface RestoringNeeds {
  /** Each driver has a folder there. */
  readonly root: string;
  readonly driver: GraphDriver;
  readonly durability: Pick<Durability, "remake">;
  readonly table: LayerTable;
  /** Layers that have a row but no tree here; those that get one are taken out. */
  readonly missing: Set<LayerId>;
  /** The names of the other drivers. */
  readonly others: readonly string[];
}

/**
 * A driver that makes the trees it lacks from their blobs when they are first wanted: after another driver was chosen
 * every image is still there. What only another driver has, a container's files, is said to be there.
 */
export class RestoringDriver implements GraphDriver {
  readonly #needs: RestoringNeeds;
  readonly #restoring = new Map<LayerId, Promise<void>>();

  constructor(needs: RestoringNeeds) {
    this.#needs = needs;
  }

  get name(): string {
    return this.#needs.driver.name;
  }

  get fillsInOrder(): boolean {
    return this.#needs.driver.fillsInOrder;
  }

  async create(layer: LayerId, options: NewLayer = {}): Promise<void> {
    if (options.parent !== undefined) await this.#ready(options.parent);
    await this.#needs.driver.create(layer, options);
  }

  limitable(): Promise<Verdict> {
    return this.#needs.driver.limitable();
  }

  makeRoom(layer: LayerId): Promise<Disposable> {
    return this.#with(layer, (driver) => driver.makeRoom(layer));
  }

  has(layer: LayerId): Promise<boolean> {
    return this.#needs.driver.has(layer);
  }

  fill(
    layer: LayerId,
    options: { readonly parent?: LayerId },
    unpack: (target: UnpackTarget) => Promise<void>,
  ): Promise<void> {
    return this.#needs.driver.fill(layer, options, unpack);
  }

  async stage(
    options: { readonly parent?: LayerId },
    unpack: (target: UnpackTarget) => Promise<void>,
  ): Promise<StagedLayer> {
    if (options.parent !== undefined) await this.#ready(options.parent);
    return this.#needs.driver.stage(options, unpack);
  }

  view(layer: LayerId): ReturnType<GraphDriver["view"]> {
    return this.#with(layer, (driver) => driver.view(layer));
  }

  mount(layer: LayerId): ReturnType<GraphDriver["mount"]> {
    return this.#with(layer, (driver) => driver.mount(layer));
  }

  changes(layer: LayerId): ReturnType<GraphDriver["changes"]> {
    return this.#with(layer, (driver) => driver.changes(layer));
  }

  async *diff(...[layer, options]: Parameters<GraphDriver["diff"]>): ReturnType<GraphDriver["diff"]> {
    return yield* await this.#with(layer, async (driver) => driver.diff(layer, options));
  }

  size(layer: LayerId): Promise<number> {
    return this.#with(layer, (driver) => driver.size(layer));
  }

  remove(layer: LayerId): Promise<void> {
    return this.#needs.driver.remove(layer);
  }

  list(): Promise<readonly LayerId[]> {
    return this.#needs.driver.list();
  }

  data(layer: LayerId): ReturnType<GraphDriver["data"]> {
    return this.#with(layer, (driver) => driver.data(layer));
  }

  status(): ReturnType<GraphDriver["status"]> {
    return this.#needs.driver.status();
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#needs.driver[Symbol.asyncDispose]();
  }

  async #with<T>(layer: LayerId, use: (driver: GraphDriver) => Promise<T>): Promise<T> {
    if (this.#needs.missing.size > 0) await this.#ready(layer);
    try {
      return await use(this.#needs.driver);
    } catch (thrown) {
      const other = (await this.has(layer)) ? undefined : keeperOf(layer, this.#needs);
      if (other === undefined) throw thrown;
      throw new Fault(
        "conflict",
        `Cannot use the files of ${layer}: the storage driver ${other} keeps them, and this daemon runs with ${this.name}; start it with --storage-driver ${other}`,
        { cause: thrown },
      );
    }
  }

  /** The base before what stands on it. */
  async #ready(layer: LayerId): Promise<void> {
    const { table, missing } = this.#needs;
    for (const row of table.chain(layer).toReversed()) {
      if (!missing.has(row.id)) continue;
      const restoring = this.#restoring.get(row.id) ?? this.#needs.durability.remake(row);
      this.#restoring.set(row.id, restoring);
      try {
        await restoring;
        missing.delete(row.id);
      } finally {
        this.#restoring.delete(row.id);
      }
    }
  }
}

/** The other driver that has a layer. */
export function keeperOf(
  layer: LayerId,
  { root, others }: Pick<RestoringNeeds, "root" | "others">,
): string | undefined {
  return others.find((other) => existsSync(`${root}/${other}/${directoryOf(layer)}`));
}
