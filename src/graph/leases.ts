import type { LayerId } from "./driver.ts";

/** Layers that no image holds yet, because the pull that wanted them is still under way, however long it takes. */
export class Leases {
  readonly #counts = new Map<LayerId, number>();

  /** Each hold wants its own release. */
  hold(layer: LayerId): void {
    this.#counts.set(layer, (this.#counts.get(layer) ?? 0) + 1);
  }

  release(layers: Iterable<LayerId>): void {
    for (const layer of layers) {
      const count = this.#counts.get(layer) ?? 0;
      if (count <= 1) this.#counts.delete(layer);
      else this.#counts.set(layer, count - 1);
    }
  }

  held(): ReadonlySet<LayerId> {
    return new Set(this.#counts.keys());
  }
}
