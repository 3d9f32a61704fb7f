import { createHash, type Hash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { algorithmOf, type Digest } from "#oci";
import type { BlobFiles } from "./blobs.ts";
import { RegistryProblem } from "./problem.ts";
import { full, type UploadLimits, UploadRoom } from "./room.ts";

/** An upload that nobody went on with is kept so long. */
const KEPT_MILLISECONDS = 7 * 24 * 3600 * 1000;
/** Of uploads under way, so many have their digest at hand; those of the others are computed at their end. */
const MOST_REMEMBERED = 1000;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface Upload {
  /** Of what is in the file; undefined when an earlier process wrote a part of it. */
  readonly hash: Hash | undefined;
  size: number;
  isBusy: boolean;
}

/** What a request adds to an upload. */
interface Appended {
  readonly body: AsyncIterable<Uint8Array> | null;
  /** Where it belongs, when the client says it. */
  readonly start: number | undefined;
  /** Bytes, when the client says it. */
  readonly length?: number;
}

/** Blobs on their way in: `<root>/<id>/data` and `…/name`, the repository. They outlive the process. */
export class Uploads {
  readonly #root: string;
  readonly #blobs: BlobFiles;
  readonly #room: UploadRoom;
  readonly #open = new Map<string, Upload>();

  constructor(root: string, blobs: BlobFiles, limits: UploadLimits) {
    this.#root = root;
    this.#blobs = blobs;
    this.#room = new UploadRoom(root, limits);
  }

  async start(name: string): Promise<string> {
    const id = crypto.randomUUID();
    await mkdir(`${this.#root}/${id}`, { recursive: true, mode: 0o700 });
    await Bun.write(`${this.#root}/${id}/name`, name);
    await Bun.write(`${this.#root}/${id}/data`, "");
    this.#remember(id, { hash: createHash("sha256"), size: 0, isBusy: false });
    return id;
  }

  /** Bytes received. */
  async size(name: string, id: string): Promise<number> {
    return (await this.#find(name, id)).size;
  }

  /**
   * Appends what comes; `start`, when the client says it, must be where the file ends. A client that goes away in the
   * middle leaves what had come.
   */
  async append(name: string, id: string, { body, start, length = 0 }: Appended): Promise<number> {
    const upload = await this.#find(name, id);
    if (upload.isBusy)
      throw new RegistryProblem(409, "BLOB_UPLOAD_INVALID", "another request is writing this upload");
    if (start !== undefined && start !== upload.size)
      throw new RegistryProblem(416, "RANGE_INVALID", `the upload has ${upload.size} bytes, not ${start}`, {
        Range: rangeOf(upload.size),
      });
    upload.isBusy = true;
    try {
      using writing = await this.#room.enter(length);
      await using file = await open(`${this.#root}/${id}/data`, "r+");
      for await (const chunk of body ?? []) {
        await write(file, chunk, upload);
        await writing.wrote(chunk.length);
      }
    } catch (thrown) {
      throw (thrown as NodeJS.ErrnoException).code === "ENOSPC" ? full() : thrown;
    } finally {
      upload.isBusy = false;
    }
    return upload.size;
  }

  /** The upload becomes a blob, if it is what its digest says; it is gone in any case. */
  async finish(name: string, id: string, digest: Digest): Promise<void> {
    const upload = await this.#find(name, id);
    if (upload.isBusy)
      throw new RegistryProblem(409, "BLOB_UPLOAD_INVALID", "another request is writing this upload");
    upload.isBusy = true;
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.#drop(id));
    const path = `${this.#root}/${id}/data`;
    const actual =
      upload.hash !== undefined && digest.startsWith("sha256:")
        ? `sha256:${upload.hash.digest("hex")}`
        : await hashFile(path, digest);
    if (actual !== digest)
      throw new RegistryProblem(400, "DIGEST_INVALID", `the upload's digest is ${actual}, not ${digest}`);
    if ((await this.#blobs.claim(digest)) !== undefined) return;
    {
      await using file = await open(path, "r");
      await file.sync();
    }
    await this.#blobs.publish(path, digest);
  }

  async cancel(name: string, id: string): Promise<void> {
    await this.#find(name, id);
    await this.#drop(id);
  }

  /** Removes what nobody went on with. */
  async sweep(): Promise<void> {
    for (const id of await readdir(this.#root).catch(() => [])) {
      const folder = `${this.#root}/${id}`;
      // One that is just being started has no data yet.
      const found = await stat(`${folder}/data`).catch(() => stat(folder).catch(() => undefined));
      if (found !== undefined && Date.now() - found.mtimeMs > KEPT_MILLISECONDS) await this.#drop(id);
    }
  }

  async #drop(id: string): Promise<void> {
    this.#open.delete(id);
    await rm(`${this.#root}/${id}`, { recursive: true, force: true });
  }

  async #find(name: string, id: string): Promise<Upload> {
    const folder = `${this.#root}/${id}`;
    const owner = UUID.test(id)
      ? await Bun.file(`${folder}/name`)
          .text()
          .catch(() => undefined)
      : undefined;
    const data = owner === name ? await stat(`${folder}/data`).catch(() => undefined) : undefined;
    if (data === undefined)
      throw new RegistryProblem(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload in this repository");
    const { size } = data;
    // Asked last: of two requests at once the other may have found it first, and both must see the same.
    return this.#open.get(id) ?? this.#remember(id, { hash: undefined, size, isBusy: false });
  }

  /** The oldest that nobody writes is forgotten: it goes on as one of an earlier process. */
  #remember(id: string, upload: Upload): Upload {
    this.#open.set(id, upload);
    if (this.#open.size <= MOST_REMEMBERED) return upload;
    for (const [other, { isBusy }] of this.#open) {
      if (isBusy || other === id) continue;
      this.#open.delete(other);
      break;
    }
    return upload;
  }
}

async function write(file: FileHandle, chunk: Uint8Array, upload: Upload): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, upload.size);
    upload.hash?.update(chunk.subarray(done, done + bytesWritten));
    upload.size += bytesWritten;
    done += bytesWritten;
  }
}

async function hashFile(path: string, digest: Digest): Promise<string> {
  const algorithm = algorithmOf(digest);
  const hash = createHash(algorithm);
  for await (const chunk of Bun.file(path).stream()) hash.update(chunk);
  return `${algorithm}:${hash.digest("hex")}`;
}

/** Source: OCI distribution specification 1.1, "Pushing a blob in chunks": the last byte is included. */
export function rangeOf(size: number): string {
  return `0-${Math.max(0, size - 1)}`;
}
