import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { Fault } from "#errors";
import { through } from "./through.ts";

export type Compression = "gzip" | "zstd" | "none";

/** Output comes in pieces of so many bytes: fewer turns of the event loop. */
const CHUNK_BYTES = 1024 * 1024;
/** The largest window that a frame may ask for: 128 MiB. Source: RFC 8878, section 3.1.1.1.2, gives 8 MiB as the least. */
const ZSTD_WINDOW_LOG = 27;
const ZSTD_D_WINDOW_LOG_MAX = 100;
/** Source: POSIX ustar. */
const TAR_MAGIC_AT = 257;

/** What only the host's own programs undo. */
export type ForeignCompression = "xz" | "bzip2";

/** By the first bytes: what they are decides, whatever the media type says. Throws `unsupported` for others. */
export function compressionOf(start: Uint8Array): Compression {
  const magic = magicOf(start);
  if (magic.startsWith("1f8b")) return "gzip";
  if (magic.startsWith("28b52ffd") || /^5.2a4d18/.test(magic)) return "zstd";
  const other = foreignCompressionOf(start);
  if (other === undefined) return "none";
  throw new Fault(
    "unsupported",
    `Cannot unpack the archive: it is compressed with ${other}; gzip and zstd are known`,
  );
}

export function foreignCompressionOf(start: Uint8Array): ForeignCompression | undefined {
  const magic = magicOf(start);
  if (magic === "fd377a585a00") return "xz";
  // The first file of an archive may be called as bzip2 begins.
  if (isTar(start)) return undefined;
  return /^425a683[1-9]/.test(magic) ? "bzip2" : undefined;
}

function isTar(start: Uint8Array): boolean {
  return Buffer.from(start.subarray(TAR_MAGIC_AT, TAR_MAGIC_AT + 5)).toString("latin1") === "ustar";
}

const magicOf = (start: Uint8Array) => Buffer.from(start.subarray(0, 6)).toString("hex");

/** Undefined when there is nothing to undo. */
export function decompressor(compression: Compression): Transform | undefined {
  if (compression === "gzip") return createGunzip({ chunkSize: CHUNK_BYTES });
  if (compression === "zstd")
    return createZstdDecompress({
      chunkSize: CHUNK_BYTES,
      params: { [ZSTD_D_WINDOW_LOG_MAX]: ZSTD_WINDOW_LOG },
    });
  return undefined;
}

/** Decompresses by magic. Throws `invalid` when the stream is damaged or ends too early. */
export async function* decompress(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return;
  const all = prepend(first.value, iterator);
  const transform = decompressor(compressionOf(first.value));
  if (transform === undefined) return yield* all;
  try {
    yield* through(all, transform);
  } catch (thrown) {
    throw explain(thrown);
  }
}

async function* prepend(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield first;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.(); // Whoever gives up in the middle lets go of the source.
  }
}

function explain(thrown: unknown): unknown {
  const isDamage =
    thrown instanceof Error && "code" in thrown && /^(Z_|ZSTD_|ERR_)/.test(String(thrown.code));
  if (!isDamage) return thrown;
  return damaged(thrown.message, { cause: thrown });
}

export function damaged(reason: string, options?: ErrorOptions): Fault {
  return new Fault("invalid", `Cannot unpack the archive: its compression is damaged (${reason})`, options);
}
