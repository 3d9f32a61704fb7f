import { Fault } from "#errors";
import type { VolumeDriver } from "./driver.ts";

/** Finds a driver that was not there from the start, as plugins are; undefined when there is none by that name. */
export type FindDriver = (name: string) => Promise<VolumeDriver | undefined>;

/** The drivers by name: those of this engine, and those found when they are asked for. */
export class Drivers {
  readonly #known: ReadonlyMap<string, VolumeDriver>;
  readonly #find: FindDriver;

  constructor(known: readonly VolumeDriver[], find: FindDriver = async () => undefined) {
    this.#known = new Map(known.map((driver) => [driver.name, driver]));
    this.#find = find;
  }

  names(): readonly string[] {
    return [...this.#known.keys()];
  }

  all(): readonly VolumeDriver[] {
    return [...this.#known.values()];
  }

  known(name: string): VolumeDriver | undefined {
    return this.#known.get(name);
  }

  /** Throws `not_found` in Docker's words. */
  async get(name: string): Promise<VolumeDriver> {
    const driver = this.#known.get(name) ?? (await this.#find(name));
    if (driver !== undefined) return driver;
    throw new Fault(
      "not_found",
      `error looking up volume plugin ${name.slice(0, 255)}: plugin "${name.slice(0, 255)}" not found; the driver of this engine is "${this.names().join('", "')}"`,
    );
  }
}
