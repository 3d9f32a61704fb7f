import { Fault } from "#errors";
import type { LayerId } from "./driver.ts";

const LAYER_ID = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,159}$/;

/** The directory of a layer: its id, but without the colon that separates lists of directories. Throws `invalid`. */
export function directoryOf(layer: LayerId): string {
  if (LAYER_ID.test(layer)) return layer.replaceAll(":", "@");
  throw new Fault("invalid", `Cannot use ${JSON.stringify(layer.slice(0, 200))} as the id of a layer`);
}

/** Undefined when the directory is no layer's. */
export function layerIn(directory: string): LayerId | undefined {
  const id = directory.replaceAll("@", ":");
  return LAYER_ID.test(id) ? (id as LayerId) : undefined;
}
