import { z } from "zod";
import { Fault } from "#errors";
import {
  Descriptor,
  type Digest,
  INDEX_TYPES,
  isDigest,
  MANIFEST_TYPES,
  MEDIA,
  matchesDigest,
  parseJson,
  sha256,
} from "#oci";
import type { BlobFiles } from "./blobs.ts";
import { RegistryProblem, unknownManifest } from "./problem.ts";
import type { Repositories } from "./repositories.ts";

/** Source: OCI distribution specification 1.1, "Pushing Manifests": registries should allow at least so much. */
export const MANIFEST_LIMIT = 4 * 1024 * 1024;

/** It goes into the header of answers: never one that a browser would run. Source: RFC 6838, section 4.2. */
const MEDIA_TYPE = /^application\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;

/** What a manifest or index says that concerns its keeper. Source: OCI image specification 1.1, manifest.md, image-index.md. */
const Document = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  config: Descriptor.optional(),
  layers: z.array(Descriptor).optional(),
  manifests: z.array(Descriptor).optional(),
  subject: Descriptor.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
type Document = z.infer<typeof Document>;

export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** The manifests of all repositories. */
export class Manifests {
  readonly #blobs: BlobFiles;
  readonly #repositories: Repositories;

  constructor(blobs: BlobFiles, repositories: Repositories) {
    this.#blobs = blobs;
    this.#repositories = repositories;
  }

  /** By tag or digest. Throws 404. */
  async find(name: string, reference: string): Promise<StoredManifest> {
    const digest = isDigest(reference) ? reference : await this.#repositories.tag(name, reference);
    const mediaType = digest && (await this.#repositories.manifest(name, digest));
    const bytes = digest && mediaType !== undefined ? await this.#blobs.read(digest) : undefined;
    if (digest === undefined || mediaType === undefined || bytes === undefined)
      throw unknownManifest(reference);
    return { digest, mediaType, bytes };
  }

  /**
   * Checks that all the manifest needs is there, and puts it: content, then whom it refers to, then itself, then its
   * tags, so that none leads nowhere. Returns the digest, and that of its subject.
   */
  async put(
    name: string,
    {
      bytes,
      contentType,
      tags,
      digest,
    }: {
      readonly bytes: Uint8Array;
      readonly contentType: string;
      readonly tags: readonly string[];
      /** Of the address it is put at. */
      readonly digest: Digest | undefined;
    },
  ): Promise<{ readonly digest: Digest; readonly subject: Digest | undefined }> {
    if (digest !== undefined && !matchesDigest(bytes, digest))
      throw new RegistryProblem(400, "DIGEST_INVALID", `the manifest's digest is not ${digest}`);
    const document = parse(bytes);
    const mediaType = mediaTypeOf(document, contentType);
    await this.#requireParts(name, document);
    const stored = digest ?? sha256(bytes);
    await this.#blobs.put(stored, bytes);
    const { subject } = document;
    if (subject !== undefined) {
      const referrer = referrerOf(document, { mediaType, digest: stored, size: bytes.length });
      await this.#repositories.addReferrer(name, subject.digest, referrer);
    }
    await this.#repositories.addManifest(name, stored, mediaType);
    for (const tag of tags) await this.#repositories.setTag(name, tag, stored);
    return { digest: stored, subject: subject?.digest };
  }

  async remove(name: string, digest: Digest): Promise<void> {
    const bytes = await this.#blobs.read(digest);
    if (!(await this.#repositories.removeManifest(name, digest))) throw unknownManifest(digest);
    const subject = bytes === undefined ? undefined : parse(bytes).subject;
    if (subject !== undefined) await this.#repositories.removeReferrer(name, subject.digest, digest);
  }

  /** The descriptor of a part, from one of the repository's manifests that has it. */
  async part(name: string, digest: Digest): Promise<Descriptor | undefined> {
    for (const one of await this.#repositories.manifests(name)) {
      const bytes = await this.#blobs.read(one);
      if (bytes === undefined) continue;
      const { config, layers = [] } = parse(bytes);
      const found = [...(config ? [config] : []), ...layers].find((part) => part.digest === digest);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** One that came from its origin, whose parts are fetched when somebody wants them. */
  async keep(name: string, { digest, mediaType, bytes }: StoredManifest, tag?: string): Promise<void> {
    await this.#blobs.put(digest, bytes);
    await this.#repositories.addManifest(name, digest, mediaType);
    if (tag !== undefined) await this.#repositories.setTag(name, tag, digest);
  }

  /** Everything a manifest needs, to the blobs of the manifests of an index. */
  async needs(
    digest: Digest,
  ): Promise<{ readonly blobs: readonly Digest[]; readonly manifests: readonly Digest[] }> {
    const bytes = await this.#blobs.read(digest);
    if (bytes === undefined) return { blobs: [], manifests: [] };
    const { config, layers = [], manifests = [] } = parse(bytes);
    return {
      blobs: [...(config ? [config] : []), ...layers].map((part) => part.digest),
      manifests: manifests.map((part) => part.digest),
    };
  }

  async #requireParts(name: string, { config, layers = [], manifests = [] }: Document): Promise<void> {
    for (const part of [...(config ? [config] : []), ...layers]) {
      // What nobody may pass on lies elsewhere.
      if ((part.urls?.length ?? 0) > 0) continue;
      const isOurs = await this.#repositories.hasBlob(name, part.digest);
      // Counted on from here, so that no collection of garbage takes it before the manifest is there.
      if (!isOurs || (await this.#blobs.claim(part.digest)) === undefined) throw missingPart(part.digest);
    }
    for (const part of manifests) {
      const isOurs = (await this.#repositories.manifest(name, part.digest)) !== undefined;
      if (!isOurs || (await this.#blobs.claim(part.digest)) === undefined) throw missingPart(part.digest);
    }
  }
}

function parse(bytes: Uint8Array): Document {
  try {
    return Document.parse(parseJson(bytes, "the manifest"));
  } catch (thrown) {
    const reason =
      thrown instanceof z.ZodError
        ? thrown.issues
            .map(({ path, message }) => `${path.join(".")}: ${message}`)
            .slice(0, 3)
            .join("; ")
        : thrown instanceof Fault
          ? thrown.message
          : "it cannot be read";
    throw new RegistryProblem(400, "MANIFEST_INVALID", `the manifest is not valid: ${reason}`);
  }
}

/** What it says it is, else what its sender says; it must not be two things at once (CVE-2021-41190). */
function mediaTypeOf({ mediaType, config, layers, manifests }: Document, contentType: string): string {
  const refuse = (sentence: string) => new RegistryProblem(400, "MANIFEST_INVALID", sentence);
  if (manifests !== undefined && (config !== undefined || layers !== undefined))
    throw refuse("the manifest is a manifest and an index at once");
  if (mediaType !== undefined && contentType !== "" && mediaType !== contentType)
    throw refuse(`the manifest calls itself ${mediaType}, and its sender ${contentType}`);
  const said = mediaType ?? contentType;
  if (said !== "" && !MEDIA_TYPE.test(said))
    throw refuse(`"${said.slice(0, 100)}" is no media type of a manifest`);
  const own = manifests === undefined ? MANIFEST_TYPES : INDEX_TYPES;
  const other = manifests === undefined ? INDEX_TYPES : MANIFEST_TYPES;
  if (other.includes(said)) throw refuse(`the manifest is called ${said} and is not`);
  return said || (own.at(manifests === undefined ? -1 : 0) ?? MEDIA.ociManifest);
}

/** Source: OCI distribution specification 1.1, "Listing Referrers". */
function referrerOf(document: Document, descriptor: Descriptor): Descriptor {
  const artifactType = document.artifactType || document.config?.mediaType;
  return {
    ...descriptor,
    ...(artifactType !== undefined && { artifactType }),
    ...(document.annotations !== undefined && { annotations: document.annotations }),
  } as Descriptor;
}

const missingPart = (digest: Digest): RegistryProblem =>
  new RegistryProblem(
    404,
    "MANIFEST_BLOB_UNKNOWN",
    `the manifest needs ${digest}, which this repository lacks`,
  );
