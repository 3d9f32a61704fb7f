/**
 * Owns named volumes: their drivers, labels, who uses them and who has them mounted.
 * Refuses to mount anything into a container: it hands out host paths.
 * Called by `jobs`.
 */
export type * from "./driver.ts";
export { localVolumes } from "./drivers/local/index.ts";
export { serveVolume } from "./drivers/local/mounts.ts";
export { parseSize } from "./drivers/local/options.ts";
export { pluginVolumes } from "./drivers/plugin/index.ts";
export type { FoundDrivers } from "./drivers.ts";
export { ANONYMOUS_LABEL, checkVolumeName, noSuchVolume } from "./names.ts";
export { openVolumes, type VolumeOptions } from "./open.ts";
