import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { createGzip } from "node:zlib";
import { through } from "#archive";
import type { Digest } from "#oci";
import type { Content } from "./content.ts";

const CHUNK_BYTES = 512 * 1024;
/** Fast rather than small. */
const GZIP_LEVEL = 3;

/**
 * Makes another blob of one, compressed, and keeps that from being taken for rubbish until it is let go. The same bytes
 * always make the same blob.
 */
export async function compressBlob(
  content: Content,
  blob: Digest,
  signal: AbortSignal,
): Promise<{ readonly digest: Digest; readonly lease: Disposable }> {
  using _source = content.use(blob);
  await using plain = await open(content.path(blob), "r");
  await using side = content.sideFile();
  await using file = await open(side.path, "wx", 0o600);
  const hash = createHash("sha256");
  const bytes = plain.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false });
  for await (const piece of through(bytes, createGzip({ level: GZIP_LEVEL, chunkSize: CHUNK_BYTES }))) {
    signal.throwIfAborted();
    hash.update(piece);
    for (let done = 0; done < piece.length; )
      done += (await file.write(piece, done, piece.length - done)).bytesWritten;
  }
  await file.sync();
  const digest = `sha256:${hash.digest("hex")}` as Digest;
  using lease = new DisposableStack();
  lease.use(content.use(digest));
  if (!(await content.has(digest))) await side.adopt(digest);
  return { digest, lease: lease.move() };
}
