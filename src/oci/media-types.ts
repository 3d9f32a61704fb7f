/** Source: OCI image specification 1.1, media-types.md; Docker image manifest version 2, schema 2. */
export const MEDIA = {
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
} as const;

export const MANIFEST_TYPES: readonly string[] = [MEDIA.dockerManifest, MEDIA.ociManifest];
export const INDEX_TYPES: readonly string[] = [MEDIA.dockerIndex, MEDIA.ociIndex];

const CONFIG_TYPES: readonly string[] = [MEDIA.dockerConfig, MEDIA.ociConfig];

/** Some registries call a configuration by no better name. */
export function isConfigType(mediaType: string): boolean {
  return CONFIG_TYPES.includes(mediaType) || mediaType === "application/octet-stream";
}

export type LayerCompression = "gzip" | "zstd" | "none";

const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)(?:[+.](gzip|zstd))?$/;

/** How a layer of this media type is packed; undefined for what is no file system layer. */
export function layerCompression(mediaType: string): LayerCompression | undefined {
  const match = LAYER.exec(mediaType);
  if (match === null) return undefined;
  return match[1] === "gzip" || match[1] === "zstd" ? match[1] : "none";
}

/** Version 2, schema 1, signed or not: withdrawn by every registry and engine. */
export function isSchema1(mediaType: string): boolean {
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\+/.test(mediaType);
}
