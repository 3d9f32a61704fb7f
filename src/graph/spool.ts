import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { Fault } from "#errors";
import type { Digest } from "#oci";
import type { Content } from "./content.ts";
import type { LayerTable } from "./layer-table.ts";
import type { Spool, Spooled, SpoolFile } from "./types.ts";

const READ_BYTES = 512 * 1024;

/** Files that came in some order, in the content store's side files until it is known what they are. */
export class ContentSpool implements Spool {
  readonly #content: Content;
  readonly #table: Pick<LayerTable, "isBlobUsed">;
  readonly #paths = new Map<Spooled, string>();
  readonly #adopted = new Set<Digest>();
  #open: FileHandle | undefined;

  constructor(content: Content, table: Pick<LayerTable, "isBlobUsed">) {
    this.#content = content;
    this.#table = table;
  }

  async create(): Promise<SpoolFile> {
    const path = this.#content.sidePath();
    const handle = await open(path, "wx+", 0o600);
    this.#open = handle;
    const writing = new Writing(handle);
    return {
      write: (bytes) => writing.add(bytes),
      finish: async () => {
        await handle.close();
        this.#open = undefined;
        const spooled = writing.finish();
        this.#paths.set(spooled, path);
        return spooled;
      },
      discard: async () => {
        await handle.close();
        this.#open = undefined;
        await rm(path, { force: true });
      },
    };
  }

  async read(file: Spooled, limit: number): Promise<Uint8Array> {
    if (file.size > limit)
      throw new Fault("invalid", `Cannot read the archive: a document of ${file.size} bytes is too large`);
    return Bun.file(this.#pathOf(file)).bytes();
  }

  async *stream(file: Spooled, offset: number): AsyncGenerator<Uint8Array> {
    await using handle = await open(this.#pathOf(file), "r");
    for (let at = offset; at < file.size; ) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, file.size - at));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async adopt(file: Spooled): Promise<void> {
    if (await this.#content.has(file.digest)) return;
    const path = this.#pathOf(file);
    {
      await using handle = await open(path, "r");
      await handle.sync();
    }
    this.#adopted.add(file.digest);
    await this.#content.adopt(path, file.digest);
    this.#paths.set(file, this.#content.path(file.digest));
  }

  /** What has become a layer's stays; everything else goes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.close();
    for (const digest of this.#adopted)
      if (!this.#table.isBlobUsed(digest)) await this.#content.remove(digest);
    for (const [{ digest }, path] of this.#paths)
      if (!this.#adopted.has(digest) || path !== this.#content.path(digest)) await rm(path, { force: true });
  }

  #pathOf(file: Spooled): string {
    const path = this.#paths.get(file);
    if (path === undefined) throw new Fault("internal", `Cannot read ${file.digest}: it was not spooled`);
    return path;
  }
}

/** Bytes of one file: hashed and written in order. */
class Writing {
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash("sha256");
  #size = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    for (let done = 0; done < bytes.length; )
      done += (await this.#file.write(bytes, done, bytes.length - done)).bytesWritten;
    this.#size += bytes.length;
  }

  finish(): Spooled {
    return { digest: `sha256:${this.#hash.digest("hex")}` as Digest, size: this.#size };
  }
}
