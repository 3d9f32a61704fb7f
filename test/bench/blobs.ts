/** Fetches blobs and decompresses them to nowhere, three at a time as engines do, and checks nothing. */
import { createGunzip } from "node:zlib";

const AT_ONCE = 3;
const CHUNK_BYTES = 1024 * 1024;
const urls = process.argv.slice(2);

async function bring(url: string): Promise<void> {
  const { body, ok, status } = await fetch(url);
  if (!ok || body === null) throw new Error(`${url} answered ${status}`);
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const ended = new Promise((resolve, reject) =>
    gunzip
      .on("data", () => {})
      .on("end", resolve)
      .on("error", reject),
  );
  for await (const chunk of body)
    if (!gunzip.write(chunk)) await new Promise((resolve) => gunzip.once("drain", resolve));
  gunzip.end();
  await ended;
}

await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let url = urls.shift(); url !== undefined; url = urls.shift()) await bring(url);
  }),
);
