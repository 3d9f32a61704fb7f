import { constants } from "node:fs";
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory, writeWhole } from "#host";
import { type Digest, parseDigest } from "#oci";
import { undefinedIfMissing } from "./missing.ts";

/** `<hex>.<uuid>.dying` is a blob on its way out: see `removeUnused`. */
const DYING = /^([0-9a-f]+)\.[0-9a-f-]{36}\.dying$/;
/** What is being written beside its name: by `put`, and by a copy from another file system. */
const ASIDE = ".new";
/** Whatever is being written is written sooner; else whoever wrote it was killed. */
const LONGEST_WRITE_MILLISECONDS = 24 * 3600 * 1000;

/**
 * Content by digest, once for all repositories: `<root>/<algorithm>/<hex>`, the layout of the engine's own content
 * store, so that one can link what the other has. A blob's time of change says when somebody last counted on it.
 */
export class BlobFiles {
  readonly #root: string;
  readonly #shared: readonly string[];

  /** `shared` are content stores of engines on this host. */
  constructor(root: string, shared: readonly string[]) {
    this.#root = root;
    this.#shared = shared;
  }

  path(digest: Digest): string {
    return placeIn(this.#root, digest);
  }

  /** In bytes; undefined where there is none. */
  async size(digest: Digest): Promise<number | undefined> {
    return stat(this.path(digest)).then(
      ({ size }) => size,
      () => undefined,
    );
  }

  /** As `size`, and from now on the blob stays for as long as a push may take. */
  async claim(digest: Digest): Promise<number | undefined> {
    const now = new Date();
    return utimes(this.path(digest), now, now).then(
      () => this.size(digest),
      () => undefined,
    );
  }

  /** Takes over what an engine of this host has, without copying where one file system holds both. */
  async adopt(digest: Digest): Promise<number | undefined> {
    const path = this.path(digest);
    for (const root of this.#shared) {
      const theirs = placeIn(root, digest);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const isLinked = await link(theirs, path).then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code === "EEXIST" || copyAcross(error, theirs, path),
      );
      if (!isLinked) continue;
      await syncDirectory(dirname(path));
      return this.claim(digest);
    }
    return undefined;
  }

  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    if ((await this.claim(digest)) !== undefined) return;
    await mkdir(dirname(this.path(digest)), { recursive: true, mode: 0o700 });
    await writeWhole(this.path(digest), bytes);
  }

  /** A verified and synced file becomes the blob, counted on from now on: its last byte may be days old. */
  async publish(file: string, digest: Digest): Promise<void> {
    const path = this.path(digest);
    const now = new Date();
    await utimes(file, now, now);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rename(file, path);
    await syncDirectory(dirname(path));
  }

  async read(digest: Digest): Promise<Uint8Array | undefined> {
    return readFile(this.path(digest)).catch(undefinedIfMissing);
  }

  /** Milliseconds since the epoch; undefined where there is none. */
  async changed(digest: Digest): Promise<number | undefined> {
    return stat(this.path(digest)).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
  }

  /** Every blob. What an earlier removal was killed over is put back first: somebody may have counted on it. */
  async *list(): AsyncGenerator<{
    readonly digest: Digest;
    readonly size: number;
    readonly changed: number;
  }> {
    for (const algorithm of await readdir(this.#root).catch(() => [])) {
      const folder = `${this.#root}/${algorithm}`;
      for (const name of await readdir(folder)) await this.#settle(folder, name);
      for (const name of await readdir(folder)) {
        if (!/^[0-9a-f]+$/.test(name)) continue;
        const found = await stat(`${folder}/${name}`).catch(() => undefined);
        if (found !== undefined)
          yield { digest: `${algorithm}:${name}` as Digest, size: found.size, changed: found.mtimeMs };
      }
    }
  }

  async #settle(folder: string, name: string): Promise<void> {
    const path = `${folder}/${name}`;
    const [, hex] = DYING.exec(name) ?? [];
    if (hex !== undefined) {
      await link(path, `${folder}/${hex}`).catch(() => undefined); // It is there again, or another process was faster.
      await rm(path, { force: true });
    } else if (name.endsWith(ASIDE)) {
      const found = await stat(path).catch(() => undefined);
      const isLeft = found !== undefined && Date.now() - found.ctimeMs > LONGEST_WRITE_MILLISECONDS;
      if (isLeft) await rm(path, { force: true });
    }
  }

  /**
   * Removes a blob unless somebody has counted on it since `before` (milliseconds since the epoch), also between our
   * looking and our removing: it is looked at again under another name, which no claim reaches. Whoever collects
   * garbage at the same time has a name of its own for it.
   */
  async removeUnused(digest: Digest, before: number): Promise<boolean> {
    const path = this.path(digest);
    if (((await this.changed(digest)) ?? before) >= before) return false;
    const aside = `${path}.${crypto.randomUUID()}.dying`;
    const isThere = await rename(path, aside).then(
      () => true,
      () => false,
    );
    if (!isThere) return false;
    const found = await stat(aside).catch(() => undefined); // Gone: another process has put it back.
    const isUnused = found !== undefined && found.mtimeMs < before;
    if (!isUnused) await link(aside, path).catch(() => undefined); // Uploaded anew meanwhile: then it is there.
    await rm(aside, { force: true });
    return isUnused;
  }
}

function placeIn(root: string, digest: Digest): string {
  const [algorithm, hex] = parseDigest(digest).split(":");
  return `${root}/${algorithm}/${hex}`;
}

/** Another file system: a copy, by reference where it can, under its name only when whole. */
async function copyAcross(error: NodeJS.ErrnoException, from: string, to: string): Promise<boolean> {
  if (error.code !== "EXDEV") return false;
  const aside = `${to}.${crypto.randomUUID()}.new`;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(aside, { force: true }));
  await copyFile(from, aside, constants.COPYFILE_FICLONE);
  {
    await using file = await open(aside, "r");
    await file.sync();
  }
  await rename(aside, to);
  return true;
}
