import type { Transform } from "node:stream";

/** What a transform makes of the source, which is read no faster than the result is; whoever gives up lets go of both. */
export async function* through(source: AsyncIterable<Buffer>, transform: Transform): AsyncGenerator<Buffer> {
  const feeding = feed(source, transform);
  feeding.catch((thrown) => transform.destroy(thrown));
  try {
    for await (const chunk of transform) yield chunk;
  } finally {
    transform.destroy();
  }
  await feeding;
}

async function feed(source: AsyncIterable<Buffer>, into: Transform): Promise<void> {
  for await (const chunk of source) {
    if (into.destroyed) return;
    if (!into.write(chunk)) await drained(into);
  }
  into.end();
}

function drained(stream: Transform): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once("drain", resolve);
  stream.once("close", resolve);
  return promise.finally(() => {
    stream.off("drain", resolve);
    stream.off("close", resolve);
  });
}
