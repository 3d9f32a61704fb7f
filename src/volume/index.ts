/**
 * Owns named volumes: their directories, labels, and who uses them.
 * Refuses to mount anything into a container: it hands out host paths.
 * Called by `jobs`.
 */
export type * from "./driver.ts";
export { checkVolumeName, LocalVolumes, noSuchVolume } from "./store.ts";
