import type { Context } from "hono";
import type { ServerEnv } from "./environment.ts";

/**
 * The body of a request, read no faster than it is used: the request's own web stream would take everything into
 * memory. What nobody reads is left to the connection.
 */
export function bodyStream(c: Context<ServerEnv>): ReadableStream<Uint8Array> | undefined {
  const { incoming } = c.env ?? {};
  if (incoming === undefined) return c.req.raw.body ?? undefined;
  const pieces = incoming[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
}
