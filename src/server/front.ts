import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { StandingReplies } from "./standing.ts";
import { mayHijack, UNASKED } from "./upgrade.ts";

/** How long an idle connection is kept, in milliseconds. Clients with pools do not expect it to be short. */
export const KEEP_ALIVE = 600_000;

/** How long a new connection may take to send its first head, in milliseconds. */
const HEAD_TIMEOUT = 60_000;
/** Beyond this the head is not looked at any further: the parser behind refuses it. In bytes. */
const HEAD_LIMIT = 256 * 1024;

interface Behind {
  readonly server: Server;
  readonly standing: StandingReplies;
}

/**
 * Stands before the HTTP server and reads the first heads of each connection. What has a standing reply is
 * answered here. With the first head that has none the connection becomes the HTTP server's, unchanged but
 * for one thing: an HTTP server gives a connection away only to a request that says `Upgrade`, and Docker's
 * older clients attach without saying so: such a head gets the two header lines it lacks.
 */
export function admit(socket: Socket, { server, standing }: Behind): void {
  let held: Buffer = Buffer.alloc(0);
  let timer = patience(socket, HEAD_TIMEOUT);
  let isKnown = false;
  const leave = () => {
    clearTimeout(timer);
    socket.off("data", onData).off("error", leave).off("close", leave).off("end", onEnd);
  };
  const onEnd = () => {
    leave();
    socket.destroySoon();
  };
  const say = (reply: string) => {
    if (isKnown) timer.refresh();
    else {
      clearTimeout(timer);
      timer = patience(socket, KEEP_ALIVE);
      isKnown = true;
    }
    if (socket.write(reply)) return;
    socket.pause();
    socket.once("drain", () => socket.resume());
  };
  const onData = (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (!held.includes("\r\n\r\n") && held.length < HEAD_LIMIT) return;
    const reply = standing.answer(held);
    if (reply !== undefined) {
      held = Buffer.alloc(0);
      return say(reply);
    }
    leave();
    socket.pause();
    socket.unshift(completed(held));
    server.emit("connection", socket);
    socket.resume();
  };
  socket.on("data", onData).on("error", leave).on("close", leave).on("end", onEnd);
}

function patience(socket: Socket, milliseconds: number): NodeJS.Timeout {
  const timer = setTimeout(() => socket.destroy(), milliseconds);
  timer.unref();
  return timer;
}

/** The bytes as they came, with an `Upgrade` if the request takes its connection over without naming one. */
export function completed(bytes: Buffer): Buffer {
  const eol = bytes.indexOf("\r\n");
  const [method, target] = bytes.toString("latin1", 0, Math.max(eol, 0)).split(" ");
  if (!mayHijack(method, target)) return bytes;
  const head = bytes.toString("latin1", eol, bytes.indexOf("\r\n\r\n") + 2);
  if (/\r\nupgrade[ \t]*:/i.test(head)) return bytes;
  const lines = Buffer.from(`\r\nConnection: Upgrade\r\nUpgrade: ${UNASKED}`);
  return Buffer.concat([bytes.subarray(0, eol), lines, bytes.subarray(eol)]);
}
