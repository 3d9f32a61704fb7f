import type { LayerId } from "./driver.ts";

/** How long a layer that was obtained waits for the image that will hold it. */
const LEASE_MILLISECONDS = 3600 * 1000;

interface Lease {
  readonly count: number;
  readonly until: number;
}

/** Layers that no image holds yet, because the pull that wanted them is still under way. */
export class Leases {
  readonly #leases = new Map<LayerId, Lease>();

  /** Each hold wants its own release. */
  hold(layer: LayerId): void {
    const count = (this.#leases.get(layer)?.count ?? 0) + 1;
    this.#leases.set(layer, { count, until: Date.now() + LEASE_MILLISECONDS });
  }

  release(layers: Iterable<LayerId>): void {
    for (const layer of layers) {
      const lease = this.#leases.get(layer);
      if (lease === undefined || lease.count === 1) this.#leases.delete(layer);
      else this.#leases.set(layer, { ...lease, count: lease.count - 1 });
    }
  }

  held(): ReadonlySet<LayerId> {
    for (const [layer, { until }] of this.#leases) if (until < Date.now()) this.#leases.delete(layer);
    return new Set(this.#leases.keys());
  }
}
