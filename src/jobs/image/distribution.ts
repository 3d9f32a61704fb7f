import { z } from "zod";
import { defineJob } from "#engine";
import {
  type Descriptor,
  ImageConfig,
  INDEX_TYPES,
  Index,
  Manifest,
  type Platform,
  parseJson,
  parseReference,
} from "#oci";
import { LIMITS } from "#registry";
import { clientFor, type RegistryNeeds } from "./registry.ts";

type Offered = Platform & { readonly "os.version"?: string };

/** What a name means at its registry, and for which platforms: nothing is pulled. */
export const inspectDistribution = (needs: RegistryNeeds) =>
  defineJob({
    name: "image.distribution",
    input: z.object({ reference: z.string().min(1) }),

    async run({ reference: text }, context) {
      const { signal } = context;
      const reference = parseReference(text);
      const client = clientFor(needs, context);
      const { descriptor, bytes } = await client.document(reference, { signal });
      const document = parseJson(bytes, "the manifest");
      if (INDEX_TYPES.includes(descriptor.mediaType))
        return { descriptor, platforms: Index.parse(document).manifests.flatMap(offeredBy) };
      const { config } = Manifest.parse(document);
      const read = await client.fetch(reference, config, { limit: LIMITS.config, signal });
      const parsed = ImageConfig.safeParse(parseJson(read, "the image's configuration"));
      return { descriptor, platforms: parsed.success ? [platformOf(parsed.data)] : [] };
    },
  });

function offeredBy({ platform }: Descriptor): readonly Offered[] {
  if (platform === undefined) return [];
  return [
    { ...platformOf(platform), ...(platform["os.version"] && { "os.version": platform["os.version"] }) },
  ];
}

function platformOf({
  os,
  architecture,
  variant,
}: {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}): Offered {
  return { architecture, os, ...(variant && { variant }) };
}
