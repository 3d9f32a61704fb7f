import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { type Compression, compressionOf, expand, type GrowingFile, type Unpackers } from "#archive";
import { Fault } from "#errors";
import { type Descriptor, type Digest, MEDIA } from "#oci";
import type { Content } from "./content.ts";
import type { GraphDriver, LayerId, StagedLayer } from "./driver.ts";
import type { LayerArchive } from "./types.ts";

const MEDIA_TYPES: Readonly<Record<Compression, string>> = {
  gzip: MEDIA.ociLayerGzip,
  zstd: MEDIA.ociLayerZstd,
  none: MEDIA.ociLayer,
};

/** A layer that only has to get its name. Disposing it takes away what has not become of use. */
export interface ReceivedLayer extends AsyncDisposable {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** Bytes of file data. */
  readonly size: number;
  readonly tree: StagedLayer;
}

interface Receiving {
  readonly content: Content;
  readonly driver: Pick<GraphDriver, "stage">;
  readonly unpackers: Pick<Unpackers, "unpack">;
  readonly isUsed: (blob: Digest) => boolean;
  readonly parent?: LayerId;
  readonly signal: AbortSignal;
}

/**
 * Takes in an archive as a layer's blob, as it is but for compressions that only the host's programs know, and unpacks it
 * meanwhile. The blob has its name and is on disk then.
 */
export async function receiveLayer(archive: LayerArchive, receiving: Receiving): Promise<ReceivedLayer> {
  const { content, driver, unpackers, parent, signal, isUsed } = receiving;
  await using undo = new AsyncDisposableStack();
  await using side = content.sideFile();
  await using file = await open(side.path, "wx+", 0o600);
  const incoming =
    typeof archive === "function" ? writing(archive, file) : await storing(archive, file, signal);
  let unpacked = { diffId: "" as Digest, bytes: 0 };
  const tree = undo.use(
    await driver.stage(parent === undefined ? {} : { parent }, async (target) => {
      const growing = { ...incoming.file, descriptor: file.fd };
      unpacked = await unpackers.unpack({ ...target, file: growing, signal });
      await incoming.synced;
    }),
  );
  signal.throwIfAborted();
  const { diffId, bytes } = unpacked;
  const digest = incoming.digest() ?? diffId;
  const isNew = !(await content.has(digest));
  // A layer that is here already, or could not be made, has no use for another blob.
  undo.defer(async () => {
    if (isNew && !isUsed(digest) && !content.leases.isHeld(digest)) await content.remove(digest);
  });
  undo.use(content.leases.use(digest));
  if (isNew) await side.adopt(digest);
  const { size } = await file.stat();
  const owned = undo.move();
  return {
    descriptor: { mediaType: MEDIA_TYPES[incoming.compression], digest, size },
    diffId,
    size: bytes,
    tree,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

interface Incoming {
  readonly compression: Compression;
  /** How many bytes are in the file by now, and what they come to if that is known. */
  readonly file: Omit<GrowingFile, "descriptor">;
  /** Resolves when all of them are on disk; nobody need wait for it should something fail before. */
  readonly synced: Promise<void>;
  /** Of the blob, where that is not the digest of what is in it. */
  digest(): Digest | undefined;
}

function writing(write: Exclude<LayerArchive, AsyncIterable<Uint8Array>>, file: FileHandle): Incoming {
  let digest: Digest | undefined;
  async function* growth() {
    digest = yield* write(file.fd);
  }
  const { synced, file: growing } = syncing(growth(), file);
  const told = () => {
    if (digest === undefined)
      throw new Fault("internal", "Cannot make a layer: it is not written to its end");
    return digest;
  };
  return { compression: "none", synced, file: { ...growing, digest: told }, digest: () => undefined };
}

async function storing(
  archive: AsyncIterable<Uint8Array>,
  file: FileHandle,
  signal: AbortSignal,
): Promise<Incoming> {
  const { compression, bytes } = await withCompression(expand(cancellable(archive, signal)));
  const hash = createHash("sha256");
  const hashed = compression === "none" ? undefined : hash;
  return {
    compression,
    ...syncing(stored(bytes, file, hashed), file),
    digest: () => (hashed === undefined ? undefined : (`sha256:${hashed.digest("hex")}` as Digest)),
  };
}

/** The disk is at work while the last of it is unpacked. */
function syncing(growth: AsyncIterable<number>, file: FileHandle): Pick<Incoming, "file" | "synced"> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {});
  async function* all() {
    yield* growth;
    file.sync().then(resolve, reject);
  }
  return { file: { growth: all() }, synced: promise };
}

async function* stored(
  bytes: AsyncIterable<Buffer>,
  file: FileHandle,
  hash: ReturnType<typeof createHash> | undefined,
): AsyncGenerator<number> {
  let written = 0;
  for await (const piece of bytes) {
    hash?.update(piece);
    for (let done = 0; done < piece.length; )
      done += (await file.write(piece, done, piece.length - done, written + done)).bytesWritten;
    written += piece.length;
    yield written;
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
