import { open } from "node:fs/promises";
import { headerOf, paddingAfter, TRAILER } from "#archive";
import { Fault } from "#errors";
import type { Image } from "#graph";
import {
  type Descriptor,
  type Digest,
  familiarReference,
  familiarRepository,
  formatReference,
  MEDIA,
  type Reference,
  sha256,
} from "#oci";
import type { ImageManifest } from "./manifest.ts";

export interface SavedImage {
  readonly image: Image;
  readonly tags: readonly Reference[];
  readonly manifest: ImageManifest;
  /** The exact bytes of the configuration. */
  readonly config: Uint8Array;
}

/** So much fits at once into the socket that most clients read it from, which the daemon widens for archives. */
const CHUNK_BYTES = 480 * 1024;
/** One archive for the same images, whenever it is made. Seconds. */
const EPOCH = 0;

/**
 * An OCI image layout that is at the same time an archive of `docker save`: the documents first, then every blob
 * once. Sources: OCI image specification 1.1, image-layout.md; moby image specification 1.2, "Combined Image JSON".
 */
export async function* savedArchive(
  images: readonly SavedImage[],
  path: (digest: Digest) => string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const [name, document] of documents(images)) yield* whole(name, document);
  yield folder("blobs/");
  yield folder("blobs/sha256/");
  const sent = new Set<Digest>();
  for (const { image, config, manifest } of images) {
    const { bytes, manifest: said } = manifest;
    for (const [digest, content] of [
      [image.id, config],
      [said.config.digest, config],
      [sha256(bytes), bytes],
    ] as const) {
      if (!sent.has(digest)) yield* whole(blobName(digest), content);
      sent.add(digest);
    }
  }
  for (const { manifest } of images)
    for (const layer of manifest.manifest.layers) {
      if (!sent.has(layer.digest)) yield* blob(layer, path(layer.digest), signal);
      sent.add(layer.digest);
    }
  yield TRAILER;
}

function documents(images: readonly SavedImage[]): readonly (readonly [string, Uint8Array])[] {
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  return [
    ["oci-layout", text({ imageLayoutVersion: "1.0.0" })],
    [
      "index.json",
      text({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: images.flatMap(indexEntries) }),
    ],
    ["manifest.json", text(images.map(dockerEntry))],
    ["repositories", text(repositoriesOf(images))],
  ];
}

/** One entry for each name, or a nameless one. */
function indexEntries({ image, tags, manifest: { bytes, mediaType } }: SavedImage): readonly Descriptor[] {
  const { os, architecture, variant } = image.config;
  const plain: Descriptor = {
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
    platform: { architecture, os, ...(variant !== undefined && { variant }) },
  };
  if (tags.length === 0) return [plain];
  return tags.map((tag) => ({
    ...plain,
    annotations: {
      "io.containerd.image.name": formatReference(tag),
      "org.opencontainers.image.ref.name": tag.tag ?? "",
    },
  }));
}

function dockerEntry({ image, tags, manifest }: SavedImage) {
  const { layers } = manifest.manifest;
  const sources = layers.map((layer, at) => [image.config.rootfs.diff_ids[at] ?? "", layer] as const);
  return {
    Config: blobName(image.id),
    RepoTags: tags.length === 0 ? null : tags.map(familiarReference),
    Layers: layers.map(({ digest }) => blobName(digest)),
    LayerSources: Object.fromEntries(sources),
  };
}

/** Repository → tag → the topmost layer, by its digest. */
function repositoriesOf(images: readonly SavedImage[]) {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { tags, manifest, image } of images)
    for (const tag of tags) {
      const top = manifest.manifest.layers.at(-1)?.digest ?? image.id;
      const name = familiarRepository(tag);
      repositories[name] = { ...repositories[name], [tag.tag ?? ""]: top.slice(top.indexOf(":") + 1) };
    }
  return repositories;
}

function blobName(digest: Digest): string {
  return `blobs/${digest.replace(":", "/")}`;
}

function* whole(name: string, bytes: Uint8Array): Generator<Uint8Array> {
  yield header(name, bytes.length);
  yield Buffer.concat([bytes, paddingAfter(bytes.length)]);
}

async function* blob(
  { digest, size }: Descriptor,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  await using file = await open(path, "r");
  const { size: kept } = await file.stat();
  if (kept !== size)
    throw new Fault("internal", `Cannot save ${digest}: ${kept} bytes of it are kept, and it has ${size}`);
  yield header(blobName(digest), size);
  for (let at = 0; at < size; ) {
    signal.throwIfAborted();
    const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, size - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) throw new Fault("internal", `Cannot save ${digest}: it became shorter meanwhile`);
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
  const padding = paddingAfter(size);
  if (padding.length > 0) yield padding;
}

const header = (path: string, size: number) => entry({ path, size, type: "file", mode: 0o644 });
const folder = (path: string) => entry({ path, size: 0, type: "directory", mode: 0o755 });

function entry(given: { path: string; size: number; type: "file" | "directory"; mode: number }): Uint8Array {
  const nobody = { uid: 0, gid: 0, major: 0, minor: 0, target: "", attributes: new Map() };
  return headerOf({ ...nobody, ...given, modified: { seconds: EPOCH, nanoseconds: 0 } });
}
