/**
 * Asks a server on a unix socket for one path over and over, on several connections at once, and prints how many
 * replies a second there were: `bun load.ts SOCKET PATH CONNECTIONS SECONDS`. Its own process, so that the one
 * that is measured has a processor to itself.
 */
import { connect } from "node:net";

const [, , path = "", target = "", connections = "8", seconds = "2"] = process.argv;
const REQUEST = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: d\r\n\r\n`);
const HEAD_END = "\r\n\r\n";
const LAST_CHUNK = "0\r\n\r\n";

let count = 0;
const started = performance.now();
const end = started + Number(seconds) * 1000;
await Promise.all(Array.from({ length: Number(connections) }, ask));
process.stdout.write(`${Math.round(count / ((performance.now() - started) / 1000))}\n`);
process.exit(0);

/** One connection: the next request goes out when the reply to the last is whole. */
function ask(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ path });
  let reply: Buffer = Buffer.alloc(0);
  let [size, isChunked] = [Number.POSITIVE_INFINITY, false];
  let received = 0;
  let tail = "";
  socket.on("connect", () => socket.write(REQUEST));
  socket.on("error", reject).on("close", () => resolve());
  socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
    if (size === Number.POSITIVE_INFINITY && !isChunked) {
      reply = reply.length === 0 ? chunk : Buffer.concat([reply, chunk]);
      const at = reply.indexOf(HEAD_END);
      if (at < 0) return;
      const head = reply.toString("latin1", 0, at);
      if (!head.startsWith("HTTP/1.1 200 ")) return reject(new Error(`${target} was answered: ${head}`));
      isChunked = /transfer-encoding: chunked/i.test(head);
      if (!isChunked) size = at + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    }
    tail = `${tail}${chunk.toString("latin1", Math.max(0, chunk.length - LAST_CHUNK.length))}`.slice(
      -LAST_CHUNK.length,
    );
    if (isChunked ? tail !== LAST_CHUNK : received < size) return;
    count += 1;
    [size, isChunked, received, reply, tail] = [Number.POSITIVE_INFINITY, false, 0, Buffer.alloc(0), ""];
    if (performance.now() < end) socket.write(REQUEST);
    else socket.end();
  });
  return promise;
}
