import type { Server } from "node:http";
import type { Socket } from "node:net";
import { mayHijack, UNASKED } from "./upgrade.ts";

/** How long a new connection may take to send its first head, in milliseconds. */
const HEAD_TIMEOUT = 60_000;
/** Beyond this the head is not looked at any further: the parser behind refuses it. In bytes. */
const HEAD_LIMIT = 256 * 1024;

/**
 * Stands before the HTTP server and reads the first head of each connection, because an HTTP server gives a
 * connection away only to a request that says `Upgrade`, and Docker's older clients attach without saying
 * so: such a head gets the two header lines it lacks. Everything else passes unchanged.
 */
export function admit(server: Server, socket: Socket): void {
  let held: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), HEAD_TIMEOUT);
  timer.unref();
  const leave = () => {
    clearTimeout(timer);
    socket.off("data", onData).off("error", leave).off("close", leave).off("end", onEnd);
  };
  const onEnd = () => {
    leave();
    socket.destroy();
  };
  const onData = (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (!held.includes("\r\n\r\n") && held.length < HEAD_LIMIT) return;
    leave();
    socket.pause();
    socket.unshift(completed(held));
    server.emit("connection", socket);
    socket.resume();
  };
  socket.on("data", onData).on("error", leave).on("close", leave).on("end", onEnd);
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
