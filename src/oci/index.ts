/**
 * Owns the values that rooms hand each other: references, digests, descriptors, manifests, image
 * configurations, and requests to the kernel that one room words and another carries out.
 * Refuses to do input or output.
 * Called by every room.
 */

export * from "./digest.ts";
export * from "./image-config.ts";
export * from "./json.ts";
export type * from "./kernel.ts";
export * from "./manifest.ts";
export * from "./media-types.ts";
export {
  choosePlatform,
  formatPlatform,
  hostPlatform,
  type Platform,
  parsePlatform,
  platformsOf,
} from "./platform.ts";
export * from "./platforms.ts";
export * from "./reference.ts";
