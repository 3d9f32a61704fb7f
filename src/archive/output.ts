import { writeSync } from "node:fs";
import { beginWriteOut } from "#host";
import type { Digest } from "#oci";

/** An archive on standard output, no faster than it is read. A piece need not hold longer than until the next is asked for. */
export async function writeArchive(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
  const output = Bun.stdout.writer();
  for await (const piece of pieces) {
    output.write(piece);
    await output.flush();
  }
  await output.end();
}

/** The disk is given so much at a time. */
const STRIDE_BYTES = 8 * 1024 * 1024;

/** An archive in an open file, from its start; `tell` hears how many bytes are there by now. Returns the digest of all. */
export async function writeArchiveInto(
  descriptor: number,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  tell: (written: number) => void,
): Promise<Digest> {
  const hash = new Bun.CryptoHasher("sha256");
  let written = 0;
  let begun = 0;
  for await (const piece of pieces) {
    for (let done = 0; done < piece.length; )
      done += writeSync(descriptor, piece, done, piece.length - done, written + done);
    written += piece.length;
    tell(written);
    hash.update(piece);
    if (written - begun < STRIDE_BYTES) continue;
    // Whoever wants all of it on disk in the end then waits for little; where this cannot be done, for all.
    beginWriteOut(descriptor, begun, written - begun);
    begun = written;
  }
  return `sha256:${hash.digest("hex")}` as Digest;
}
