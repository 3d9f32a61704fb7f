import { z } from "zod";
import { Fault } from "#errors";
import type { Spool, Spooled } from "#graph";
import {
  choosePlatform,
  type Descriptor,
  type Digest,
  formatPlatform,
  INDEX_TYPES,
  Index,
  isConfigType,
  MANIFEST_TYPES,
  Manifest,
  type Platform,
  parseJson,
  parseNamed,
  type Reference,
} from "#oci";
import { LIMITS } from "#registry";
import type { ArchiveFiles } from "./load-archive.ts";
import { legacyImages } from "./load-legacy.ts";

/** A layer as the archive has it; without a descriptor no manifest speaks of it. */
export interface ArchivedLayer {
  readonly file: Spooled;
  readonly descriptor?: Descriptor;
}

/** An image as the archive has it. */
export interface ArchivedImage {
  readonly config: Uint8Array;
  readonly layers: readonly ArchivedLayer[];
  readonly tags: readonly Reference[];
  readonly manifest?: { readonly descriptor: Descriptor; readonly bytes: Uint8Array };
}

interface Source {
  readonly files: ArchiveFiles;
  readonly spool: Pick<Spool, "read" | "stream">;
}

interface Wanted {
  /** Of an index with several: this one. */
  readonly platform: Platform;
  /** Whether somebody asked for it by name. */
  readonly isAsked: boolean;
}

const MOST_LAYERS = 128;
const MOST_IMAGES = 1000;
/** An index may name another, that one the image. */
const DEEPEST = 3;

/** What `docker save` writes. Source: moby image specification 1.2, "Combined Image JSON". */
const DockerManifest = z
  .array(
    z.object({
      Config: z.string(),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string()).max(MOST_LAYERS).nullish(),
    }),
  )
  .max(MOST_IMAGES);

/** The images of an archive: by its OCI index, which has every digest, or else as docker wrote them. */
export async function imagesIn(source: Source, wanted: Wanted): Promise<readonly ArchivedImage[]> {
  const { files } = source;
  if (files.find("oci-layout") !== undefined && files.find("index.json") !== undefined)
    return ociImages(source, wanted);
  if (files.find("manifest.json") !== undefined) return dockerImages(source);
  if (files.find("repositories") !== undefined) return legacyImages(source);
  throw new Fault(
    "invalid",
    "Cannot load the archive: it has neither a manifest.json nor an OCI index.json; to make an image of a file system, import it",
  );
}

async function read<Schema extends z.ZodType>(
  { files, spool }: Source,
  name: string,
  schema: Schema,
): Promise<{ readonly value: z.output<Schema>; readonly bytes: Uint8Array }> {
  const bytes = await spool.read(files.get(name), LIMITS.manifest);
  const parsed = schema.safeParse(parseJson(bytes, name));
  if (parsed.success) return { value: parsed.data, bytes };
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") || "it";
  throw new Fault("invalid", `Cannot load the archive: ${name}: ${where}: ${issue?.message}`);
}

async function dockerImages(source: Source): Promise<readonly ArchivedImage[]> {
  const { files, spool } = source;
  const { value } = await read(source, "manifest.json", DockerManifest);
  const images: ArchivedImage[] = [];
  for (const { Config, RepoTags, Layers } of value)
    images.push({
      config: await spool.read(files.get(Config), LIMITS.config),
      layers: (Layers ?? []).map((name) => ({ file: files.get(name) })),
      tags: (RepoTags ?? []).flatMap(tagOf),
    });
  return images;
}

/** Manifests of the same image are one image with all their names. */
async function ociImages(source: Source, wanted: Wanted): Promise<readonly ArchivedImage[]> {
  const { value } = await read(source, "index.json", Index);
  if (value.manifests.length > MOST_IMAGES)
    throw new Fault("invalid", `Cannot load the archive: it has more than ${MOST_IMAGES} images`);
  const names = new Map<Digest, { readonly descriptor: Descriptor; readonly tags: Reference[] }>();
  for (const listed of value.manifests) {
    const descriptor = await manifestFor(source, listed, wanted);
    if (descriptor === undefined) continue;
    const known = names.get(descriptor.digest) ?? { descriptor, tags: [] };
    known.tags.push(...nameIn(listed));
    names.set(descriptor.digest, known);
  }
  if (names.size === 0)
    throw new Fault(
      "not_found",
      `Cannot load the archive: it has no image for the platform ${formatPlatform(wanted.platform)}`,
    );
  const images: ArchivedImage[] = [];
  for (const { descriptor, tags } of names.values()) {
    const { value: manifest, bytes } = await read(source, blobName(descriptor), Manifest);
    const { files, spool } = source;
    if (!isConfigType(manifest.config.mediaType)) continue;
    images.push({
      config: await spool.read(files.get(blobName(manifest.config)), LIMITS.config),
      layers: manifest.layers.map((layer) => ({
        file: sized(files.get(blobName(layer)), layer),
        descriptor: layer,
      })),
      tags,
      manifest: { descriptor, bytes },
    });
  }
  return images;
}

/** The manifest of the platform that is wanted; undefined where there is none, or of no image at all. */
async function manifestFor(
  source: Source,
  listed: Descriptor,
  wanted: Wanted,
  depth = 0,
): Promise<Descriptor | undefined> {
  const { mediaType, digest, size, platform } = listed;
  if (MANIFEST_TYPES.includes(mediaType)) {
    const isOther = platform !== undefined && choosePlatform([listed], wanted.platform) === undefined;
    return isOther && wanted.isAsked ? undefined : { mediaType, digest, size };
  }
  if (!INDEX_TYPES.includes(mediaType) || depth >= DEEPEST) return undefined;
  const { value } = await read(source, blobName(listed), Index);
  const chosen = choosePlatform(value.manifests, wanted.platform) ?? onlyOne(value.manifests);
  return chosen && manifestFor(source, chosen, wanted, depth + 1);
}

function onlyOne(manifests: readonly Descriptor[]): Descriptor | undefined {
  const named = manifests.filter(({ platform }) => platform?.os !== "unknown");
  return named.length === 1 ? named[0] : undefined;
}

function sized(file: Spooled, { digest, size }: Descriptor): Spooled {
  if (file.size === size) return file;
  throw new Fault(
    "invalid",
    `Cannot accept ${digest}: it has ${file.size} bytes and its manifest says ${size}`,
  );
}

/** The digest is the one that files are verified by. */
function blobName({ digest }: Descriptor): string {
  if (digest.startsWith("sha256:")) return `blobs/${digest.replace(":", "/")}`;
  throw new Fault(
    "unsupported",
    `Cannot load ${digest.slice(0, 20)}…: only sha256 digests are known in archives`,
  );
}

/** containerd's and docker's annotation, or OCI's where it has a whole name: a mere tag names nothing. */
function nameIn({ annotations = {} }: Descriptor): readonly Reference[] {
  const whole = annotations["io.containerd.image.name"];
  const short = annotations["org.opencontainers.image.ref.name"] ?? "";
  return tagOf(whole ?? (/[/:]/.test(short) ? short : ""));
}

/** What is no name with a tag is left out, as docker does. */
function tagOf(text: string): readonly Reference[] {
  try {
    const named = parseNamed(text);
    return named.tag === undefined || named.digest !== undefined ? [] : [named];
  } catch {
    return [];
  }
}
