import { z } from "zod";
import { type Digest, isDigest } from "./digest.ts";

export const DigestText = z.custom<Digest>(
  (value) => typeof value === "string" && isDigest(value),
  "not a digest",
);

/** Source: OCI image specification 1.1, descriptor.md. `size` is in bytes. */
export const Descriptor = z.object({
  mediaType: z.string(),
  digest: DigestText,
  size: z.number().int().nonnegative(),
  urls: z.array(z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  platform: z
    .object({
      architecture: z.string(),
      os: z.string(),
      variant: z.string().optional(),
      "os.version": z.string().optional(),
    })
    .optional(),
});
export type Descriptor = z.infer<typeof Descriptor>;

/** More than other engines stack; overlay itself takes 500. */
const MOST_LAYERS = 128;

/** Source: OCI image specification 1.1, manifest.md; Docker image manifest version 2, schema 2. */
export const Manifest = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: Descriptor,
  layers: z.array(Descriptor).max(MOST_LAYERS),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Manifest = z.infer<typeof Manifest>;

/** Source: OCI image specification 1.1, image-index.md; Docker manifest list. */
export const Index = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  manifests: z.array(Descriptor),
});
export type Index = z.infer<typeof Index>;
