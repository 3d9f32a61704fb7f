import { Fault } from "#errors";
import type { Image } from "#graph";
import {
  choosePlatform,
  type Digest,
  formatPlatform,
  type ImageConfig,
  meantPlatform,
  type Platform,
  parsePlatform,
} from "#oci";

/** Whether an image of this configuration is one for the platform. */
export function isPlatform(config: ImageConfig, wanted: Platform): boolean {
  const offered = { mediaType: "", digest: "" as Digest, size: 0, platform: platformOf(config) };
  return choosePlatform([offered], wanted) !== undefined;
}

/** Throws `not_found` for an image of another platform than was asked for, if one was; `invalid` for what is none. */
export function requirePlatform({ config }: Pick<Image, "config">, name: string, asked?: string): void {
  if (asked === undefined) return;
  const wanted = parsePlatform(asked);
  if (wanted === undefined)
    throw new Fault("invalid", `invalid platform ${asked.slice(0, 100)}: write os/architecture[/variant]`);
  checkPlatform(config, wanted, name);
}

/** Throws `not_found` for an image of another platform, naming both. */
export function checkPlatform(config: ImageConfig, wanted: Platform, name: string): void {
  if (isPlatform(config, wanted)) return;
  throw new Fault(
    "not_found",
    `image with reference ${name} was found but its platform (${formatPlatform(platformOf(config))}) does not match the specified platform (${formatPlatform(wanted)})${meantPlatform(wanted)}`,
  );
}

function platformOf({ os, architecture, variant }: ImageConfig): Platform {
  return { os, architecture, ...(variant !== undefined && { variant }) };
}
