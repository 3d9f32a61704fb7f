/**
 * Owns images and layers, everything that is content-addressed, and the names that point at them.
 * Refuses to talk to registries and to know containers: bytes are handed in, trees are handed out.
 * Called by `jobs`; opened by `daemon` with the driver it chose.
 */
export type * from "./driver.ts";
export { btrfs } from "./drivers/btrfs/driver.ts";
export { erofs } from "./drivers/erofs/driver.ts";
export { fuseOverlayfs } from "./drivers/fuse-overlayfs/driver.ts";
export { overlay2 } from "./drivers/overlay2/driver.ts";
export { vfs } from "./drivers/vfs/driver.ts";
export { type GraphOptions, openGraph } from "./open.ts";
export type * from "./types.ts";
