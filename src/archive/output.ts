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
