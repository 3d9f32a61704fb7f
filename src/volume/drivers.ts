import { didYouMean, Fault } from "#errors";
import type { VolumeDriver } from "./driver.ts";

/** Drivers that were not there from the start, as plugins are. */
export interface FoundDrivers {
  /** Undefined when there is none by that name. */
  find(name: string): Promise<VolumeDriver | undefined>;
  /** All there are now, and why others cannot be asked. */
  all(): Promise<{ readonly drivers: readonly VolumeDriver[]; readonly warnings: readonly string[] }>;
}

const NONE_FOUND: FoundDrivers = {
  find: async () => undefined,
  all: async () => ({ drivers: [], warnings: [] }),
};

/** The drivers by name: those of this engine, and those found when they are asked for. */
export class Drivers {
  readonly #known: ReadonlyMap<string, VolumeDriver>;
  readonly #found: FoundDrivers;

  constructor(known: readonly VolumeDriver[], found: FoundDrivers = NONE_FOUND) {
    this.#known = new Map(known.map((driver) => [driver.name, driver]));
    this.#found = found;
  }

  names(): readonly string[] {
    return [...this.#known.keys()];
  }

  all(): readonly VolumeDriver[] {
    return [...this.#known.values()];
  }

  /** With those that are found now, and why others are not among them. */
  async reachable(): Promise<{
    readonly drivers: readonly VolumeDriver[];
    readonly warnings: readonly string[];
  }> {
    const { drivers, warnings } = await this.#found.all();
    return { drivers: [...this.all(), ...drivers.filter(({ name }) => !this.#known.has(name))], warnings };
  }

  known(name: string): VolumeDriver | undefined {
    return this.#known.get(name);
  }

  /** Throws `not_found` in Docker's words. */
  async get(name: string): Promise<VolumeDriver> {
    const driver = this.#known.get(name) ?? (await this.#found.find(name));
    if (driver !== undefined) return driver;
    throw new Fault(
      "not_found",
      `error looking up volume plugin ${name.slice(0, 255)}: plugin "${name.slice(0, 255)}" not found; the driver of this engine is "${this.names().join('", "')}"${didYouMean(name, this.names())}`,
    );
  }
}
