import { mkdir, open, readdir, readFile, rename, rm, stat, unlink } from "node:fs/promises";
import { syncDirectory } from "#host";
import { type Descriptor, type Digest, isDigest, isRepositoryPath, isTag, parseDigest } from "#oci";
import { noneIfMissing, undefinedIfMissing } from "./missing.ts";

/** No part of a repository's name begins so: what does is ours. */
const BLOBS = "_blobs";
const MANIFESTS = "_manifests";
const TAGS = "_tags";
const REFERRERS = "_referrers";

/** How the names of files begin and end that are being written: no tag and no digest begins so. */
const ASIDE = { begin: ".", end: ".new" } as const;

/**
 * What each repository holds, as files of a few bytes: `_blobs/<digest>` (empty), `_manifests/<digest>` (its media
 * type), `_tags/<tag>` (a digest), `_referrers/<digest>/<digest>` (a descriptor). Each is there whole or not at all,
 * whenever the process or the machine ends.
 */
export class Repositories {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async exists(name: string): Promise<boolean> {
    for (const kind of [MANIFESTS, TAGS, BLOBS])
      if (await isThere(`${this.#root}/${name}/${kind}`)) return true;
    return false;
  }

  /** Names in order, beginning behind `after`. */
  async names(after = ""): Promise<readonly string[]> {
    const found: string[] = [];
    await collect(this.#root, "", found);
    return found.filter((name) => name > after).sort();
  }

  hasBlob(name: string, digest: Digest): Promise<boolean> {
    return isThere(this.#place(name, BLOBS, digest));
  }

  /** Outlives a power cut once a manifest that needs it is put. */
  async addBlob(name: string, digest: Digest): Promise<void> {
    await mkdir(`${this.#root}/${name}/${BLOBS}`, { recursive: true, mode: 0o700 });
    await using file = await open(this.#place(name, BLOBS, digest), "a", 0o600);
    void file;
  }

  async removeBlob(name: string, digest: Digest): Promise<boolean> {
    return removed(this.#place(name, BLOBS, digest));
  }

  /** The media type under which a manifest was put. */
  async manifest(name: string, digest: Digest): Promise<string | undefined> {
    return readSmall(this.#place(name, MANIFESTS, digest));
  }

  async manifests(name: string): Promise<readonly Digest[]> {
    return digests(await readdir(`${this.#root}/${name}/${MANIFESTS}`).catch(noneIfMissing));
  }

  async addManifest(name: string, digest: Digest, mediaType: string): Promise<void> {
    const folder = `${this.#root}/${name}/${MANIFESTS}`;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(`${this.#root}/${name}/${BLOBS}`, { recursive: true, mode: 0o700 });
    await syncDirectory(`${this.#root}/${name}/${BLOBS}`);
    await put(folder, fileOf(digest), mediaType);
  }

  /** With the tags that lead to it. */
  async removeManifest(name: string, digest: Digest): Promise<boolean> {
    for (const tag of await this.tags(name))
      if ((await this.tag(name, tag)) === digest) await this.removeTag(name, tag);
    return removed(this.#place(name, MANIFESTS, digest));
  }

  async tag(name: string, tag: string): Promise<Digest | undefined> {
    const digest = await readSmall(`${this.#root}/${name}/${TAGS}/${tag}`);
    return digest !== undefined && isDigest(digest) ? digest : undefined;
  }

  async setTag(name: string, tag: string, digest: Digest): Promise<void> {
    const folder = `${this.#root}/${name}/${TAGS}`;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await put(folder, tag, digest);
  }

  removeTag(name: string, tag: string): Promise<boolean> {
    return removed(`${this.#root}/${name}/${TAGS}/${tag}`);
  }

  /** In the order of their bytes. Source: OCI distribution specification 1.1, "Listing Tags". */
  async tags(name: string): Promise<readonly string[]> {
    const names = await readdir(`${this.#root}/${name}/${TAGS}`).catch(noneIfMissing);
    return names.filter(isTag).sort();
  }

  async addReferrer(name: string, subject: Digest, referrer: Descriptor): Promise<void> {
    const folder = this.#place(name, REFERRERS, subject);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await put(folder, fileOf(referrer.digest), JSON.stringify(referrer));
  }

  async removeReferrer(name: string, subject: Digest, referrer: Digest): Promise<void> {
    await rm(`${this.#place(name, REFERRERS, subject)}/${fileOf(referrer)}`, { force: true });
  }

  /** Those behind `after`, in order, and no more at once than `bytes` of them. */
  async referrers(
    name: string,
    subject: Digest,
    {
      after = "",
      bytes = Number.POSITIVE_INFINITY,
    }: { readonly after?: string; readonly bytes?: number } = {},
  ): Promise<{ readonly all: readonly Descriptor[]; readonly hasMore: boolean }> {
    const folder = this.#place(name, REFERRERS, subject);
    const all: Descriptor[] = [];
    let length = 0;
    for (const digest of digests(await readdir(folder).catch(noneIfMissing)).sort()) {
      if (digest <= after) continue;
      const text = await readSmall(`${folder}/${fileOf(digest)}`);
      if (text === undefined) continue;
      length += text.length;
      if (length > bytes && all.length > 0) return { all, hasMore: true };
      all.push(JSON.parse(text) as Descriptor);
    }
    return { all, hasMore: false };
  }

  /** Removes what was never written to its end, for longer than any write takes: `before`, in milliseconds since the epoch. */
  async sweep(before: number): Promise<void> {
    for (const name of await this.names()) {
      const folders = [MANIFESTS, TAGS].map((kind) => `${this.#root}/${name}/${kind}`);
      const subjects = `${this.#root}/${name}/${REFERRERS}`;
      for (const subject of await readdir(subjects).catch(() => [])) folders.push(`${subjects}/${subject}`);
      for (const folder of folders) await sweepFolder(folder, before);
    }
  }

  #place(name: string, kind: string, digest: Digest): string {
    return `${this.#root}/${name}/${kind}/${fileOf(digest)}`;
  }
}

const fileOf = (digest: Digest): string => parseDigest(digest).replace(":", "-");

function digests(names: readonly string[]): Digest[] {
  return names.map((name) => name.replace("-", ":")).filter(isDigest);
}

async function collect(folder: string, name: string, found: string[]): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(noneIfMissing);
  if (entries.some((entry) => [MANIFESTS, TAGS].includes(entry.name))) found.push(name);
  for (const entry of entries) {
    const inner = name === "" ? entry.name : `${name}/${entry.name}`;
    if (entry.isDirectory() && isRepositoryPath(inner))
      await collect(`${folder}/${entry.name}`, inner, found);
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function readSmall(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(undefinedIfMissing);
}

/** A file reaches its name whole: as `writeWhole`, but what it is written to meanwhile cannot be a tag's name. */
async function put(folder: string, name: string, text: string): Promise<void> {
  const aside = `${folder}/${ASIDE.begin}${crypto.randomUUID()}${ASIDE.end}`;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(aside, { force: true }));
  {
    await using file = await open(aside, "wx", 0o600);
    await file.writeFile(text);
    await file.sync();
  }
  await rename(aside, `${folder}/${name}`);
  await syncDirectory(folder);
}

async function sweepFolder(folder: string, before: number): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(ASIDE.begin) || !name.endsWith(ASIDE.end)) continue;
    const found = await stat(`${folder}/${name}`).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < before) await rm(`${folder}/${name}`, { force: true });
  }
}

/** Whether it was there; gone for good when this returns. */
async function removed(path: string): Promise<boolean> {
  const isGone = await unlink(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return false;
      throw error;
    },
  );
  if (isGone) await syncDirectory(path.slice(0, path.lastIndexOf("/")));
  return isGone;
}
