import { writeSync } from "node:fs";

/** Output is gathered to this size. */
const OUTPUT_BYTES = 512 * 1024;

/** An archive on standard output, no faster than it is read. */
export async function writeArchive(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
  const output = Bun.stdout.writer({ highWaterMark: OUTPUT_BYTES });
  let waiting = 0;
  for await (const chunk of pieces) {
    output.write(chunk);
    waiting += chunk.length;
    if (waiting < OUTPUT_BYTES) continue;
    await output.flush();
    waiting = 0;
  }
  await output.end();
}

/** An archive in an open file, from its start; `tell` hears how many bytes are there by now, and at the end of all. */
export async function writeArchiveInto(
  descriptor: number,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  tell: (written: number) => void,
): Promise<void> {
  const gathered = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  let length = 0;
  let written = 0;
  const flush = () => {
    for (let done = 0; done < length; )
      done += writeSync(descriptor, gathered, done, length - done, written + done);
    written += length;
    length = 0;
    tell(written);
  };
  for await (const piece of pieces)
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + OUTPUT_BYTES - length);
      gathered.set(part, length);
      at += part.length;
      length += part.length;
      if (length === OUTPUT_BYTES) flush();
    }
  flush();
}
