/**
 * Owns processes in containers: launching, adopting, signalling, pausing, executing, measuring them.
 * Refuses to know images, names, networks and HTTP; a container here is an id and a runtime specification.
 * Called by `jobs`; `daemon` chooses the driver.
 */

export type * from "./driver.ts";
export { nativeKind } from "./native.ts";
export { ociKind, type RuntimeCommand } from "./oci/index.ts";
export { openRuntimes } from "./runtimes.ts";
