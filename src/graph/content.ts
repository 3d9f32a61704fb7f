import { createHash, type Hash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { Fault } from "#errors";
import { syncDirectory, writeWhole } from "#host";
import { type Digest, isDigest, parseDigest, sha256 } from "#oci";
import type { ContentStore } from "./types.ts";

/** Downloads and blobs that nothing points at are kept so long, for whoever tries again. */
const KEPT_MILLISECONDS = 7 * 24 * 3600 * 1000;
const CHUNK_BYTES = 1024 * 1024;

/** A hash in the digest's own algorithm. */
export function hasherFor(digest: Digest): Hash {
  return createHash(digest.slice(0, digest.indexOf(":")));
}

/** Blobs by digest in `<root>/sha256/<hex>`, and what is still arriving in `<root>/partial`. */
export class Content implements ContentStore {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  static async open(root: string): Promise<Content> {
    for (const name of ["sha256", "sha512", "partial"])
      await mkdir(`${root}/${name}`, { recursive: true, mode: 0o700 });
    return new Content(root);
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
    if (!(await this.has(digest))) await writeWhole(this.path(digest), bytes);
    return digest;
  }

  /** A blob that is there or still arriving; it may be published while it is open. */
  async openForReading(digest: Digest): Promise<FileHandle> {
    return open(this.partialPath(digest), "r").catch(() => open(this.path(digest), "r"));
  }

  /** A side file of a blob whose digest is not known yet; swept when whoever writes it died. */
  sidePath(): string {
    return `${this.#root}/partial/${crypto.randomUUID()}.new`;
  }

  /** A whole and synced side file gets its name. */
  async adopt(side: string, digest: Digest): Promise<void> {
    const path = this.path(digest);
    await rename(side, path);
    await syncDirectory(path.slice(0, path.lastIndexOf("/")));
  }

  /** A verified and synced partial download gets its name. */
  async publish(digest: Digest): Promise<void> {
    const path = this.path(digest);
    await rename(this.partialPath(digest), path);
    await syncDirectory(path.slice(0, path.lastIndexOf("/")));
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  /** Whether a stored blob still is what its name says. */
  async isSound(digest: Digest): Promise<boolean> {
    await using file = await open(this.path(digest), "r");
    const hash = hasherFor(digest);
    for await (const chunk of file.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false }))
      hash.update(chunk);
    return digest.endsWith(`:${hash.digest("hex")}`);
  }

  /** Removes what arrived long ago and is not in `keep`. Returns the names. */
  async sweep(keep: ReadonlySet<string>): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const folder of ["partial", "sha256", "sha512"])
      for (const name of await readdir(`${this.#root}/${folder}`)) {
        const path = `${this.#root}/${folder}/${name}`;
        const digest = `${folder}:${name}`;
        if (folder !== "partial" && isDigest(digest) && keep.has(digest)) continue;
        const { mtimeMs } = await stat(path);
        if (Date.now() - mtimeMs < KEPT_MILLISECONDS && !name.endsWith(".new")) continue;
        await rm(path, { force: true });
        removed.push(path);
      }
    return removed;
  }
}

export function mismatch(expected: Digest, actual: string): Fault {
  return new Fault(
    "invalid",
    `Cannot accept ${expected}: verification failed, the content's digest is ${actual}`,
  );
}
