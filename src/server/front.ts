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
export function admit(socket: Socket, behind: Behind): void {
  new Newcomer(socket, behind);
}

class Newcomer {
  readonly #socket: Socket;
  readonly #behind: Behind;
  #held: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout;
  #isKnown = false;

  constructor(socket: Socket, behind: Behind) {
    this.#socket = socket;
    this.#behind = behind;
    this.#timer = patience(socket, HEAD_TIMEOUT);
    socket.on("data", this.#read).on("error", this.#leave).on("close", this.#leave).on("end", this.#end);
  }

  readonly #leave = () => {
    clearTimeout(this.#timer);
    this.#socket.off("data", this.#read).off("end", this.#end);
    this.#socket.off("error", this.#leave).off("close", this.#leave);
  };

  readonly #end = () => {
    this.#leave();
    this.#socket.destroySoon();
  };

  readonly #read = (chunk: Buffer) => {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    if (!this.#held.includes("\r\n\r\n") && this.#held.length < HEAD_LIMIT) return;
    const reply = this.#behind.standing.answer(this.#held);
    if (!(reply instanceof Promise)) return void this.#settle(reply);
    // What comes meanwhile, an end too, waits in the kernel.
    this.#socket.pause();
    void reply.then((text) => {
      if (this.#socket.destroyed) return;
      if (this.#settle(text)) this.#socket.resume();
    });
  };

  /** Whether more may be read at once. */
  #settle(reply: string | undefined): boolean {
    if (reply === undefined) return this.#give();
    this.#held = Buffer.alloc(0);
    this.#wait();
    if (this.#socket.write(reply)) return true;
    this.#socket.pause();
    this.#socket.once("drain", () => this.#socket.resume());
    return false;
  }

  #wait(): void {
    if (this.#isKnown) return void this.#timer.refresh();
    clearTimeout(this.#timer);
    this.#timer = patience(this.#socket, KEEP_ALIVE);
    this.#isKnown = true;
  }

  #give(): false {
    this.#leave();
    this.#socket.pause();
    this.#socket.unshift(completed(this.#held));
    this.#behind.server.emit("connection", this.#socket);
    this.#socket.resume();
    return false;
  }
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
