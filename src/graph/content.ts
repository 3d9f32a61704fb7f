import { createHash, type Hash } from "node:crypto";
import { renameSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { Fault } from "#errors";
import { syncDirectory, writeWhole } from "#host";
import { type Digest, isDigest, parseDigest, sha256 } from "#oci";
import { Leases } from "./leases.ts";
import type { ContentStore, StoredFile } from "./types.ts";

/** Downloads and blobs that nothing points at are kept so long, for whoever tries again. */
const KEPT_MILLISECONDS = 7 * 24 * 3600 * 1000;
const CHUNK_BYTES = 1024 * 1024;

/** A file of a blob whose digest is not known yet. Disposing removes it unless it has got its name. */
export interface SideFile extends AsyncDisposable {
  readonly path: string;
  /** It is whole and synced. */
  adopt(digest: Digest): Promise<void>;
}

/** A hash in the digest's own algorithm. */
export function hasherFor(digest: Digest): Hash {
  return createHash(digest.slice(0, digest.indexOf(":")));
}

/** Blobs by digest in `<root>/sha256/<hex>`, and what is still arriving in `<root>/partial`. */
export class Content implements ContentStore {
  readonly #root: string;
  /** Side files that somebody of this process writes. */
  readonly #sides = new Set<string>();
  /** Blobs that somebody is about to need, although no row speaks of them yet: they are no rubbish. */
  readonly leases = new Leases<Digest>();

  /** Stores of others on this host, in the same layout. */
  readonly neighbours: readonly string[];

  private constructor(root: string, neighbours: readonly string[]) {
    this.#root = root;
    this.neighbours = neighbours;
  }

  static async open(root: string, neighbours: readonly string[] = []): Promise<Content> {
    for (const name of ["sha256", "sha512", "partial"])
      await mkdir(`${root}/${name}`, { recursive: true, mode: 0o700 });
    return new Content(root, neighbours);
  }

  use(digest: Digest): Disposable {
    return this.leases.use(digest);
  }

  path(digest: Digest): string {
    const [algorithm, hex] = parseDigest(digest).split(":");
    return `${this.#root}/${algorithm}/${hex}`;
  }

  partialPath(digest: Digest): string {
    return `${this.#root}/partial/${parseDigest(digest).replace(":", "-")}`;
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.size(digest)) !== undefined;
  }

  async size(digest: Digest): Promise<number | undefined> {
    return stat(this.path(digest)).then(
      (stats) => stats.size,
      () => undefined,
    );
  }

  async read(digest: Digest, limit: number): Promise<Uint8Array> {
    const file = Bun.file(this.path(digest));
    if (!(await file.exists()))
      throw new Fault("not_found", `Cannot read ${digest}: it is not in the content store`);
    if (file.size > limit)
      throw new Fault(
        "invalid",
        `Cannot read ${digest}: its ${file.size} bytes exceed the limit of ${limit}`,
      );
    return file.bytes();
  }

  async put(bytes: Uint8Array, expected?: Digest): Promise<Digest> {
    const digest =
      expected === undefined
        ? sha256(bytes)
        : (`${expected.slice(0, expected.indexOf(":"))}:${hasherFor(expected).update(bytes).digest("hex")}` as Digest);
    if (expected !== undefined && digest !== expected) throw mismatch(expected, digest);
    this.leases.hold(digest);
    // What is there by this name may have been damaged, and whoever brings it anew mends it.
    if (!(await this.isSound(digest).catch(() => false))) await writeWhole(this.path(digest), bytes);
    return digest;
  }

  /** A blob that is there or still arriving; it may be published while it is open. */
  async openForReading(digest: Digest): Promise<FileHandle> {
    return open(this.partialPath(digest), "r").catch(() => open(this.path(digest), "r"));
  }

  /** Swept by the next process when this one dies. */
  sideFile(): SideFile {
    const path = `${this.#root}/partial/${crypto.randomUUID()}.new`;
    this.#sides.add(path);
    return {
      path,
      adopt: async (digest) => {
        await rename(path, this.path(digest));
        this.#sides.delete(path);
        await this.#syncNames(digest);
      },
      [Symbol.asyncDispose]: async () => {
        if (this.#sides.delete(path)) await rm(path, { force: true });
      },
    };
  }

  /** A verified and synced partial download gets its name. */
  async publish(digest: Digest): Promise<void> {
    await rename(this.partialPath(digest), this.path(digest));
    await this.#syncNames(digest);
  }

  async remove(digest: Digest): Promise<void> {
    await this.discard(this.path(digest));
  }

  /** Its name is free before anybody else has a turn: what was decided about the file still holds then. */
  async discard(path: string): Promise<void> {
    const aside = `${this.#root}/partial/${crypto.randomUUID()}.new`;
    try {
      renameSync(path, aside);
    } catch (thrown) {
      if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return;
      throw thrown;
    }
    await rm(aside, { force: true });
  }

  /** Whether a stored blob still is what its name says. Throws the signal's reason. */
  async isSound(digest: Digest, signal?: AbortSignal): Promise<boolean> {
    await using file = await open(this.path(digest), "r");
    const hash = hasherFor(digest);
    for await (const chunk of file.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false })) {
      signal?.throwIfAborted();
      hash.update(chunk);
    }
    return digest.endsWith(`:${hash.digest("hex")}`);
  }

  /** Takes a blob out of the way without losing it, for whoever wants to know what happened to it. */
  async quarantine(digest: Digest): Promise<string> {
    const folder = `${this.#root}/quarantine`;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const aside = `${folder}/${digest.replace(":", "-")}.${Date.now()}`;
    await rename(this.path(digest), aside);
    await this.#syncNames(digest);
    return aside;
  }

  /** Everything in the store but what is in quarantine. */
  async files(): Promise<readonly StoredFile[]> {
    const files: StoredFile[] = [];
    for (const folder of ["partial", "sha256", "sha512"])
      for (const name of await readdir(`${this.#root}/${folder}`)) {
        const path = `${this.#root}/${folder}/${name}`;
        const stats = await stat(path).catch(() => undefined); // It has gone meanwhile.
        if (stats === undefined) continue;
        const text = folder === "partial" ? name.replace("-", ":") : `${folder}:${name}`;
        files.push({
          kind: !isDigest(text) ? "side file" : folder === "partial" ? "download" : "blob",
          path,
          ...(isDigest(text) && { digest: text }),
          bytes: stats.size,
          modifiedAt: stats.mtimeMs,
        });
      }
    return files;
  }

  /** Whether somebody of this process still works with it. */
  isInUse({ path, digest }: StoredFile): boolean {
    return this.#sides.has(path) || (digest !== undefined && this.leases.isHeld(digest));
  }

  /** Removes what arrived long ago and is not in `keep`. Returns the names. */
  async sweep(keep: ReadonlySet<string>): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const file of await this.files()) {
      const { kind, path, digest = "", modifiedAt } = file;
      if ((kind === "blob" && keep.has(digest)) || this.isInUse(file)) continue;
      if (Date.now() - modifiedAt < KEPT_MILLISECONDS && kind !== "side file") continue;
      await rm(path, { force: true });
      removed.push(path);
    }
    return removed;
  }

  async #syncNames(digest: Digest): Promise<void> {
    const path = this.path(digest);
    await syncDirectory(path.slice(0, path.lastIndexOf("/")));
  }
}

export function mismatch(expected: Digest, actual: string): Fault {
  return new Fault(
    "invalid",
    `Cannot accept ${expected}: verification failed, the content's digest is ${actual}`,
  );
}
