import { z } from "zod";
import { Fault } from "#errors";
import { type Descriptor, DigestText, MEDIA, matchesDigest } from "#oci";

const Platform = z.object({
  architecture: z.string().default(""),
  os: z.string().default(""),
  "os.version": z.string().optional(),
  "os.features": z.array(z.string()).optional(),
  variant: z.string().optional(),
});
export type EntryPlatform = z.infer<typeof Platform>;

/** One image of a list, in the file that docker keeps of it. `Raw` is the manifest itself, base64. Source: docker, "manifest". */
export const Entry = z.looseObject({
  Ref: z.string(),
  Descriptor: z.object({
    mediaType: z.string(),
    digest: DigestText,
    size: z.number().int().nonnegative(),
    platform: Platform.optional(),
  }),
  Raw: z.string().optional(),
});
export type Entry = z.infer<typeof Entry>;

/** What an image's configuration says of where it runs; empty words where it says nothing. */
export function platformIn(configuration: unknown): EntryPlatform {
  const parsed = Platform.safeParse(configuration);
  if (!parsed.success) return { architecture: "", os: "" };
  const { architecture, os, variant, ...more } = parsed.data;
  return { architecture, os, ...more, ...(variant ? { variant } : {}) };
}

export function makeEntry(
  ref: string,
  { descriptor, bytes }: { readonly descriptor: Descriptor; readonly bytes: Uint8Array },
  platform: EntryPlatform,
): Entry {
  const { mediaType, digest, size } = descriptor;
  const document: unknown = JSON.parse(Buffer.from(bytes).toString());
  return {
    Ref: ref,
    Descriptor: { mediaType, digest, size, platform },
    Raw: Buffer.from(bytes).toString("base64"),
    [mediaType === MEDIA.dockerManifest ? "SchemaV2Manifest" : "OCIManifest"]: document,
  };
}

/** The manifest of an entry; undefined in files of old clients, which did not keep it. Throws `invalid` for another one. */
export function manifestBytes({ Ref, Raw, Descriptor: { digest } }: Entry): Uint8Array | undefined {
  if (Raw === undefined || Raw === "") return undefined;
  const bytes = Buffer.from(Raw, "base64");
  if (matchesDigest(bytes, digest)) return bytes;
  throw new Fault("invalid", `Cannot use the manifest of ${Ref} that is kept here: it is not ${digest}`);
}

/** A list of these images, as it is pushed: an OCI index where they are OCI images, else Docker's list. */
export function listDocument(entries: readonly Entry[]): {
  readonly mediaType: string;
  readonly text: string;
} {
  const isOci = entries[0]?.Descriptor.mediaType === MEDIA.ociManifest;
  const mediaType = isOci ? MEDIA.ociIndex : MEDIA.dockerIndex;
  const manifests = entries.map(({ Descriptor: { mediaType, size, digest, platform } }) => ({
    mediaType,
    size,
    digest,
    platform: platform ?? { architecture: "", os: "" },
  }));
  return { mediaType, text: JSON.stringify({ schemaVersion: 2, mediaType, manifests }, undefined, 3) };
}
