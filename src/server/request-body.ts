import type { Context } from "hono";
import type { ServerEnv } from "./environment.ts";

/**
 * The body of a request, read no faster than it is used. The web stream of the request, and a message on a connection
 * that was handed over to the HTTP server, would take everything into memory: so the connection itself stands still
 * while there is something to read. What nobody reads is left to the connection.
 */
export function bodyStream(c: Context<ServerEnv>): ReadableStream<Uint8Array> | undefined {
  const { incoming } = c.env ?? {};
  if (incoming === undefined) return c.req.raw.body ?? undefined;
  const { socket } = incoming;
  const pieces = incoming[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (incoming.readableLength === 0) socket.resume();
        const { value, done } = await pieces.next();
        if (done) {
          socket.resume();
          controller.close();
        } else {
          socket.pause();
          controller.enqueue(value);
        }
      },
      cancel: () => void socket.resume(),
    },
    { highWaterMark: 0 },
  );
}
