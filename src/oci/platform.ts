import type { Descriptor } from "./manifest.ts";

/** Source: OCI image specification 1.1, image-index.md, "platform"; values of GOOS and GOARCH. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "amd64",
  x86_64: "amd64",
  "x86-64": "amd64",
  ia32: "386",
  i386: "386",
  i686: "386",
  aarch64: "arm64",
  armhf: "arm",
  armel: "arm",
  ppc64el: "ppc64le",
};
const SPELLED_VARIANTS: Readonly<Record<string, string>> = { armhf: "v7", armel: "v6" };

/** The platform this program runs on. */
export function hostPlatform(): Platform {
  return normalize({ os: "linux", architecture: process.arch });
}

/** `linux/arm64/v8`, `linux/amd64`, `arm64`, `linux`; what is not said is the host's. Undefined when malformed. */
export function parsePlatform(text: string, host: Platform = hostPlatform()): Platform | undefined {
  const parts = text.toLowerCase().split("/");
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) return undefined;
  const [first = "", second, variant] = parts;
  if (second !== undefined)
    return normalize({ os: first, architecture: second, ...(variant !== undefined && { variant }) });
  return first === "linux" ? host : normalize({ os: host.os, architecture: first });
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join("/");
}

/**
 * The manifest of an index that suits a platform best: the same variant, else, where the wanted variant is
 * a later one, the nearest below it. Entries for `unknown/unknown` are attestations and suit none.
 */
export function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const wantedRank = rank(normalize(wanted));
  const suiting = manifests.flatMap((descriptor) => {
    if (descriptor.platform === undefined) return [];
    const offered = normalize(descriptor.platform);
    const isSame = offered.os === wanted.os && offered.architecture === normalize(wanted).architecture;
    return isSame && rank(offered) <= wantedRank ? [{ descriptor, rank: rank(offered) }] : [];
  });
  const best = Math.max(...suiting.map((one) => one.rank));
  return suiting.find((one) => one.rank === best)?.descriptor;
}

/** The platforms of an index, for a message; attestations are left out. */
export function platformsOf(manifests: readonly Descriptor[]): readonly string[] {
  const named = manifests.flatMap(({ platform }) =>
    platform === undefined || platform.os === "unknown" ? [] : [formatPlatform(platform)],
  );
  return [...new Set(named)].sort();
}

/** Common spellings become Go's; the variants that every such machine has are left out. */
export function normalize({ os, architecture, variant }: Platform): Platform {
  const known = ARCHITECTURES[architecture] ?? architecture;
  const spelled = variant ?? SPELLED_VARIANTS[architecture] ?? (known === "arm" ? "v7" : undefined);
  const isBase = (known === "arm64" && spelled === "v8") || (known === "amd64" && spelled === "v1");
  return {
    os,
    architecture: known,
    ...(spelled !== undefined && spelled !== "" && !isBase && { variant: spelled }),
  };
}

/** A later variant runs what was made for an earlier one, so they have an order. */
function rank({ architecture, variant }: Platform): number {
  const digits = /^v([0-9]+)/.exec(variant ?? "")?.[1];
  if (digits === undefined) return architecture === "arm64" ? 8 : 1;
  return Number(digits);
}
