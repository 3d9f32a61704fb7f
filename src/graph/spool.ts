import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { Fault } from "#errors";
import type { Digest } from "#oci";
import type { Content, SideFile } from "./content.ts";
import type { LayerTable } from "./layer-table.ts";
import type { Spool, Spooled, SpoolFile } from "./types.ts";

const READ_BYTES = 512 * 1024;

/** Files that came in some order, in the content store's side files until it is known what they are. */
export class ContentSpool implements Spool {
  readonly #content: Content;
  readonly #table: Pick<LayerTable, "isBlobUsed">;
  readonly #sides = new Map<Spooled, SideFile>();
  /** Where a file is that has become a blob. */
  readonly #adopted = new Map<Spooled, string>();
  readonly #held: Digest[] = [];
  #open: FileHandle | undefined;

  constructor(content: Content, table: Pick<LayerTable, "isBlobUsed">) {
    this.#content = content;
    this.#table = table;
  }

  async create(): Promise<SpoolFile> {
    const side = this.#content.sideFile();
    const handle = await open(side.path, "wx+", 0o600);
    this.#open = handle;
    const writing = new Writing(handle);
    return {
      write: (bytes) => writing.add(bytes),
      finish: async () => {
        await handle.close();
        this.#open = undefined;
        const spooled = writing.finish();
        this.#sides.set(spooled, side);
        return spooled;
      },
      discard: async () => {
        await handle.close();
        this.#open = undefined;
        await side[Symbol.asyncDispose]();
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
    this.#content.leases.hold(file.digest);
    this.#held.push(file.digest);
    const side = this.#sides.get(file);
    if (side === undefined || (await this.#content.has(file.digest))) return;
    {
      await using handle = await open(side.path, "r");
      await handle.sync();
    }
    await side.adopt(file.digest);
    this.#adopted.set(file, this.#content.path(file.digest));
  }

  /** What has become a layer's stays; everything else goes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.close();
    this.#content.leases.release(this.#held);
    for (const { digest } of this.#adopted.keys())
      if (!this.#table.isBlobUsed(digest) && !this.#content.leases.isHeld(digest))
        await this.#content.remove(digest);
    for (const side of this.#sides.values()) await side[Symbol.asyncDispose]();
  }

  #pathOf(file: Spooled): string {
    const path = this.#adopted.get(file) ?? this.#sides.get(file)?.path;
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
