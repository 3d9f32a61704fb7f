/** Bytes that may wait for a slow client before whoever makes them is made to wait. */
const HIGH_WATER_BYTES = 64 * 1024;

/**
 * A reply whose body is made as the client reads it. The status and the headers go out at once, before the
 * first item; the iteration is given up when the client has gone.
 */
export function streamResponse(items: AsyncIterable<Uint8Array | string>, contentType: string): Response {
  const iterator = items[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(typeof value === "string" ? encoder.encode(value) : value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: HIGH_WATER_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  return new Response(body, { status: 200, headers: { "Content-Type": contentType } });
}
