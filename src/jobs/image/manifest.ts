import { Fault } from "#errors";
import type { Graph, Image } from "#graph";
import { type Descriptor, type Digest, Manifest, MEDIA, parseJson } from "#oci";
import { LIMITS } from "#registry";
import { layersOf } from "./history.ts";
import { shortId } from "./progress.ts";

export interface ManifestNeeds {
  readonly content: Pick<Graph["content"], "has" | "read">;
  readonly images: Pick<Graph["images"], "configuration">;
  readonly layers: Pick<Graph["layers"], "blob" | "chain">;
}

/** An image's manifest, its exact bytes, and what they say. */
export interface ImageManifest {
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  readonly mediaType: string;
}

/** The manifest that the image came with, so that its digest stays; a new one where its blobs are others now. */
export async function manifestOf(graph: ManifestNeeds, image: Image): Promise<ImageManifest> {
  const { content } = graph;
  if (image.manifest !== undefined && (await content.has(image.manifest.digest))) {
    const bytes = await content.read(image.manifest.digest, LIMITS.manifest);
    const manifest = Manifest.parse(parseJson(bytes, "the manifest"));
    const here = await Promise.all(manifest.layers.map(({ digest }) => content.has(digest)));
    if (here.every(Boolean)) return { bytes, manifest, mediaType: image.manifest.mediaType };
  }
  return composed(graph, image);
}

async function composed({ layers: all, images }: ManifestNeeds, image: Image): Promise<ImageManifest> {
  const config = images.configuration(image.id);
  const layers: Descriptor[] = [];
  for (const layer of layersOf(image, all)) {
    const blob = await all.blob(layer);
    if (blob === undefined)
      throw new Fault(
        "unavailable",
        `Cannot send the layer ${shortId(layer as unknown as Digest)}: its compressed form is not kept here; pull or build the image again`,
      );
    layers.push(blob);
  }
  const isOci = layers.every(({ mediaType }) => mediaType.startsWith("application/vnd.oci."));
  const mediaType = isOci ? MEDIA.ociManifest : MEDIA.dockerManifest;
  const manifest = {
    schemaVersion: 2 as const,
    mediaType,
    config: {
      mediaType: isOci ? MEDIA.ociConfig : MEDIA.dockerConfig,
      digest: image.id,
      size: config.length,
    },
    layers,
  };
  return { bytes: new TextEncoder().encode(JSON.stringify(manifest)), manifest, mediaType };
}
