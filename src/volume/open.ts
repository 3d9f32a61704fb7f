import type { GraphDB } from "#graphdb";
import type { VolumeDriver, VolumeDriverKind } from "./driver.ts";
import { Drivers, type FoundDrivers } from "./drivers.ts";
import { VolumeStore } from "./store.ts";

export interface VolumeOptions {
  readonly database: GraphDB;
  /** The folder of all volumes. */
  readonly root: string;
  readonly kinds: readonly VolumeDriverKind[];
  /** Drivers that are not the engine's own. */
  readonly found?: FoundDrivers;
  /** Told of what went wrong when there is no caller to throw at. */
  readonly complain: (sentence: string, cause: unknown) => void;
}

/** Opens the drivers that work here. */
export async function openVolumes(options: VolumeOptions): Promise<VolumeStore> {
  const drivers: VolumeDriver[] = [];
  for (const kind of options.kinds) {
    const verdict = await kind.probe(options.root);
    if (verdict.usable) drivers.push(await kind.open(options.root));
  }
  return new VolumeStore(options, new Drivers(drivers, options.found));
}
