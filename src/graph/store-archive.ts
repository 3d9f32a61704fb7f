import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { createGzip } from "node:zlib";
import { type Compression, compressionOf, decompress, expand, through } from "#archive";
import { type Descriptor, type Digest, MEDIA } from "#oci";
import type { Content } from "./content.ts";

const CHUNK_BYTES = 512 * 1024;
/** Fast rather than small: a layer is made once and pushed seldom. */
const GZIP_LEVEL = 3;
const MEDIA_TYPES: Readonly<Record<Exclude<Compression, "none">, string>> = {
  gzip: MEDIA.ociLayerGzip,
  zstd: MEDIA.ociLayerZstd,
};

export interface StoredArchive {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** Whether it was not here before. */
  readonly isNew: boolean;
  /** Keeps the blob from being taken for rubbish. */
  readonly lease: Disposable;
}

/**
 * Stores an archive as a layer's blob: what is compressed stays as it is, everything else is compressed. Both digests
 * are computed as the bytes pass, and the blob gets its name when it is whole and on disk. The caller lets it go.
 */
export async function storeArchive(
  content: Content,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<StoredArchive> {
  await using undo = new AsyncDisposableStack();
  const side = undo.use(content.sideFile());
  const file = undo.use(await open(side.path, "wx", 0o600));
  const { compression, bytes } = await withCompression(expand(cancellable(archive, signal)));
  const blob = new Blob(file);
  const diff = createHash("sha256");
  if (compression === "none") {
    for await (const piece of compressed(hashing(bytes, diff))) await blob.add(piece);
  } else {
    for await (const piece of decompress(blob.passing(bytes))) diff.update(piece);
  }
  signal.throwIfAborted();
  await file.sync();
  const digest = blob.digest();
  using lease = new DisposableStack();
  lease.use(content.leases.use(digest));
  const isNew = !(await content.has(digest));
  if (isNew) await side.adopt(digest);
  const mediaType = MEDIA_TYPES[compression === "none" ? "gzip" : compression];
  return {
    descriptor: { mediaType, digest, size: blob.size },
    diffId: `sha256:${diff.digest("hex")}` as Digest,
    isNew,
    lease: lease.move(),
  };
}

/** Bytes of the blob: hashed and written in order. */
class Blob {
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  size = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async add(piece: Uint8Array): Promise<void> {
    this.#hash.update(piece);
    for (let done = 0; done < piece.length; )
      done += (await this.#file.write(piece, done, piece.length - done)).bytesWritten;
    this.size += piece.length;
  }

  async *passing(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of bytes) {
      await this.add(piece);
      yield piece;
    }
  }

  digest(): Digest {
    return `sha256:${this.#hash.digest("hex")}` as Digest;
  }
}

async function* cancellable(archive: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Buffer> {
  for await (const piece of archive) {
    signal.throwIfAborted();
    yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  }
}

/** What it is by its first bytes, which come in one piece. Throws `unsupported` for a compression that is not known. */
async function withCompression(
  bytes: AsyncGenerator<Buffer>,
): Promise<{ readonly compression: Compression; readonly bytes: AsyncGenerator<Buffer> }> {
  const { value: start = Buffer.alloc(0) } = await bytes.next();
  async function* all() {
    if (start.length > 0) yield start;
    yield* bytes;
  }
  return { compression: compressionOf(start), bytes: all() };
}

async function* hashing(
  bytes: AsyncIterable<Buffer>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Buffer> {
  for await (const piece of bytes) {
    hash.update(piece);
    yield piece;
  }
}

function compressed(bytes: AsyncIterable<Buffer>): AsyncIterable<Uint8Array> {
  return through(bytes, createGzip({ level: GZIP_LEVEL, chunkSize: CHUNK_BYTES }));
}
