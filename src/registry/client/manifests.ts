import type { z } from "zod";
import { Fault } from "#errors";
import {
  choosePlatform,
  type Descriptor,
  type Digest,
  familiarReference,
  formatPlatform,
  INDEX_TYPES,
  Index,
  isConfigType,
  isSchema1,
  layerCompression,
  MANIFEST_TYPES,
  Manifest,
  MEDIA,
  matchesDigest,
  meantPlatform,
  type Platform,
  parseJson,
  platformsOf,
  type Reference,
  sha256,
} from "#oci";
import type { Resolved } from "../types.ts";

export const ACCEPT = [...MANIFEST_TYPES, ...INDEX_TYPES].join(", ");

/** Bytes as they came, and what came with them. */
export interface RawManifest {
  readonly bytes: Uint8Array;
  /** `Content-Type`, without parameters. */
  readonly contentType: string;
  /** `Docker-Content-Digest` */
  readonly toldDigest: string | null;
}

export type Document = { readonly descriptor: Descriptor; readonly bytes: Uint8Array } & (
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  | { readonly kind: "index"; readonly index: Index }
);

/**
 * Checks a manifest or index from outside: its digest (the one asked for and the one told), and that it is
 * one of the two and not both, whatever it calls itself (CVE-2021-41190).
 */
export function readDocument(raw: RawManifest, expected: Descriptor | Digest | undefined): Document {
  const { bytes, toldDigest } = raw;
  const wanted = typeof expected === "string" ? expected : expected?.digest;
  if (typeof expected === "object" && expected.size !== bytes.length)
    throw new Fault(
      "invalid",
      `manifest verification failed: ${wanted} has ${bytes.length} bytes instead of ${expected.size}`,
    );
  if (wanted !== undefined && !matchesDigest(bytes, wanted))
    throw new Fault("invalid", `manifest verification failed for digest ${wanted}: it holds something else`);
  if (toldDigest !== null && !matchesDigest(bytes, toldDigest as Digest))
    throw new Fault(
      "invalid",
      "manifest verification failed: the registry tells another digest than that of what it sent",
    );
  const document = parseJson(bytes, "the manifest");
  const mediaType = mediaTypeOf(document, raw.contentType);
  const descriptor = { mediaType, digest: wanted ?? sha256(bytes), size: bytes.length };
  return INDEX_TYPES.includes(mediaType)
    ? { kind: "index", descriptor, bytes, index: parsed(Index, document) }
    : { kind: "manifest", descriptor, bytes, manifest: parsed(Manifest, document) };
}

function mediaTypeOf(document: unknown, contentType: string): string {
  const fields = new Set(typeof document === "object" && document !== null ? Object.keys(document) : []);
  const { mediaType, schemaVersion } = (document ?? {}) as { mediaType?: unknown; schemaVersion?: unknown };
  if (isSchema1(contentType) || schemaVersion === 1 || fields.has("fsLayers"))
    throw new Fault(
      "unsupported",
      "Cannot pull an image with a manifest of version 2, schema 1: it is obsolete and cannot be verified; ask its author to push it again",
    );
  const isIndex = fields.has("manifests");
  const isManifest = fields.has("layers") || fields.has("config");
  if (isIndex === isManifest)
    throw new Fault(
      "invalid",
      `Cannot use the manifest: it is ${isIndex ? "a manifest and an index at once" : "neither a manifest nor an index"}`,
    );
  const fitting = isIndex ? INDEX_TYPES : MANIFEST_TYPES;
  const other = isIndex ? MANIFEST_TYPES : INDEX_TYPES;
  const told = typeof mediaType === "string" ? mediaType : undefined;
  if (other.includes(contentType) || (told !== undefined && !fitting.includes(told)))
    throw new Fault(
      "invalid",
      `Cannot use the manifest: it is called ${(told ?? contentType).slice(0, 100)} and is not`,
    );
  if (told !== undefined) return told;
  return fitting.includes(contentType) ? contentType : isIndex ? MEDIA.ociIndex : MEDIA.ociManifest;
}

function parsed<Schema extends z.ZodType>(schema: Schema, document: unknown): z.infer<Schema> {
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Fault("invalid", `Cannot use the manifest: ${issue?.path.join(".")}: ${issue?.message}`);
}

/** The entry of an index for a platform; throws `not_found`, naming the platforms there are. */
export function chooseManifest(index: Index, platform: Platform): Descriptor {
  const chosen = choosePlatform(index.manifests, platform) ?? onlyEntry(index);
  if (chosen !== undefined) return chosen;
  const offered = platformsOf(index.manifests);
  throw new Fault(
    "not_found",
    `no matching manifest for ${formatPlatform(platform)} in the manifest list entries: ${offered.length === 0 ? "it names no platform" : `there are ${offered.slice(0, 50).join(", ")}`}${meantPlatform(platform)}`,
  );
}

/** Some tools write an index of one manifest and leave out its platform, which its configuration tells. */
function onlyEntry({ manifests: [first, ...others] }: Index): Descriptor | undefined {
  return first !== undefined && first.platform === undefined && others.length === 0 ? first : undefined;
}

/** Throws `unsupported` unless the manifest is that of a container image. */
export function toResolved(
  reference: Reference,
  { root, document }: { readonly root: Descriptor; readonly document: Document },
): Resolved {
  if (document.kind === "index")
    throw new Fault(
      "unsupported",
      `Cannot pull ${familiarReference(reference)}: its index leads to another index`,
    );
  const { config, layers } = document.manifest;
  const strange = layers.find(({ mediaType }) => layerCompression(mediaType) === undefined);
  const mediaType = isConfigType(config.mediaType) ? strange?.mediaType : config.mediaType;
  if (mediaType !== undefined)
    throw new Fault(
      "unsupported",
      `Cannot pull ${familiarReference(reference)}: it is no container image (unsupported media type ${mediaType.slice(0, 100)})`,
    );
  return { root, manifest: document.descriptor, manifestBytes: document.bytes, config, layers };
}
