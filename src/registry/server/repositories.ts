import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { syncDirectory, writeWhole } from "#host";
import { type Descriptor, type Digest, isDigest, isRepositoryPath, isTag, parseDigest } from "#oci";

/** No part of a repository's name begins so: what does is ours. */
const BLOBS = "_blobs";
const MANIFESTS = "_manifests";
const TAGS = "_tags";
const REFERRERS = "_referrers";

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
    return digests(await readdir(`${this.#root}/${name}/${MANIFESTS}`).catch(() => []));
  }

  async addManifest(name: string, digest: Digest, mediaType: string): Promise<void> {
    const folder = `${this.#root}/${name}/${MANIFESTS}`;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(`${this.#root}/${name}/${BLOBS}`, { recursive: true, mode: 0o700 });
    await syncDirectory(`${this.#root}/${name}/${BLOBS}`);
    await writeWhole(this.#place(name, MANIFESTS, digest), mediaType);
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
    await mkdir(`${this.#root}/${name}/${TAGS}`, { recursive: true, mode: 0o700 });
    await writeWhole(`${this.#root}/${name}/${TAGS}/${tag}`, digest);
  }

  removeTag(name: string, tag: string): Promise<boolean> {
    return removed(`${this.#root}/${name}/${TAGS}/${tag}`);
  }

  /** In the order of their bytes. Source: OCI distribution specification 1.1, "Listing Tags". */
  async tags(name: string): Promise<readonly string[]> {
    const names = await readdir(`${this.#root}/${name}/${TAGS}`).catch(() => []);
    return names.filter(isTag).sort();
  }

  async addReferrer(name: string, subject: Digest, referrer: Descriptor): Promise<void> {
    const folder = this.#place(name, REFERRERS, subject);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeWhole(`${folder}/${fileOf(referrer.digest)}`, JSON.stringify(referrer));
  }

  async removeReferrer(name: string, subject: Digest, referrer: Digest): Promise<void> {
    await rm(`${this.#place(name, REFERRERS, subject)}/${fileOf(referrer)}`, { force: true });
  }

  async referrers(name: string, subject: Digest): Promise<readonly Descriptor[]> {
    const folder = this.#place(name, REFERRERS, subject);
    const names = (await readdir(folder).catch(() => [])).filter((file) => !file.endsWith(".new")).sort();
    const texts = await Promise.all(names.map((file) => readSmall(`${folder}/${file}`)));
    return texts.flatMap((text) => (text === undefined ? [] : [JSON.parse(text) as Descriptor]));
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
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
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
  const file = Bun.file(path);
  return (await file.exists()) ? await file.text() : undefined;
}

/** Whether it was there; gone for good when this returns. */
async function removed(path: string): Promise<boolean> {
  const isGone = await rename(path, `${path}.new`).then(
    () => true,
    () => false,
  );
  await rm(`${path}.new`, { force: true });
  if (isGone) await syncDirectory(path.slice(0, path.lastIndexOf("/")));
  return isGone;
}
