import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Context } from "hono";
import { Fault } from "#errors";
import type { ServerEnv } from "./environment.ts";
import { FrameReader, frame, OPCODE, ProtocolError } from "./websocket-frames.ts";

/** Source: RFC 6455, section 1.3. */
const KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const NORMAL_CLOSURE = 1000;

/** Which kind of message carries what is written. Source: Docker Engine API 1.28, ContainerAttachWebsocket. */
export type PayloadKind = "text" | "binary";

/**
 * Looks whether the request is a websocket's, and returns what makes its connection one: to be called once nothing
 * can be refused any more. Throws `invalid` for one that is none, and `denied` for a page of another site, because a
 * browser lets every page open websockets to every address.
 */
export function websocketOf(c: Context<ServerEnv>): (payload: PayloadKind) => Duplex {
  const key = c.req.header("sec-websocket-key") ?? "";
  const { hijack } = c.env ?? {};
  const isWhole = hijack?.protocol?.toLowerCase() === "websocket" && /^[A-Za-z0-9+/]{22}==$/.test(key);
  if (hijack === undefined || !isWhole)
    throw new Fault("invalid", "Cannot attach over a websocket: the request does not ask for one");
  if (c.req.header("sec-websocket-version") !== "13")
    throw new Fault("invalid", "Cannot attach over a websocket: only version 13 of the protocol is spoken");
  demandSameSite(c);
  const accept = new Bun.CryptoHasher("sha1").update(key + KEY_SUFFIX).digest("base64");
  return (payload) =>
    new WebSocketStream(
      hijack.take("101 Switching Protocols", [
        ["Connection", "Upgrade"],
        ["Upgrade", "websocket"],
        ["Sec-WebSocket-Accept", accept],
      ]),
      payload,
    );
}

/** Programs name no origin, or the address that they ask; a page that hides its own calls it `null`. */
function demandSameSite(c: Context<ServerEnv>): void {
  const origin = c.req.header("origin");
  if (origin === undefined) return;
  const host = c.req.header("host") ?? "";
  const here = URL.parse(`${origin.split(":", 1)}://${host}`)?.host;
  if (here !== undefined && URL.parse(origin)?.host === here) return;
  throw new Fault("denied", `Cannot attach over a websocket: ${origin.slice(0, 100)} is another site`);
}

/** The messages of a websocket as bytes: what they carry is read, what is written is sent, each chunk a message. */
class WebSocketStream extends Duplex {
  readonly #socket: Socket;
  readonly #opcode: number;
  readonly #reader: FrameReader;
  /** Of the chunk that is being read, the bytes and how the client ended with it. */
  #arrived: Buffer[] = [];
  #end: number | undefined;
  /** Either side closes once, and says nothing after that. */
  #hasClosed = false;
  #isInputOver = false;

  constructor(socket: Socket, payload: PayloadKind) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#opcode = OPCODE[payload];
    this.#reader = new FrameReader({
      data: (bytes) => this.#arrived.push(bytes),
      ping: (bytes) => void (this.#hasClosed || socket.write(frame(OPCODE.pong, bytes))),
      close: () => {
        this.#end = NORMAL_CLOSURE;
      },
    });
    this.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.once("end", () => this.#endInput()).once("close", () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#hasClosed) done();
    else this.#socket.write(frame(this.#opcode, chunk), done);
  }

  override _final(done: () => void): void {
    this.#sayClosed(NORMAL_CLOSURE);
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  /** A push may bring the next chunk before it returns: so it comes last, and once for each chunk. */
  #take(chunk: Buffer): void {
    try {
      this.#reader.feed(chunk);
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown;
      this.#end = thrown.code;
    }
    const [bytes, end] = [Buffer.concat(this.#arrived), this.#end];
    this.#arrived = [];
    if (bytes.length > 0 && !this.push(bytes)) this.#socket.pause();
    if (end !== undefined) this.#leave(end);
  }

  /** The client has said its last: the connection is for the server to end. */
  #leave(code: number): void {
    this.#sayClosed(code);
    this.#endInput();
    this.#socket.end();
  }

  #sayClosed(code: number): void {
    if (this.#hasClosed) return;
    this.#hasClosed = true;
    const status = Buffer.alloc(2);
    status.writeUInt16BE(code);
    this.#socket.write(frame(OPCODE.close, status));
  }

  #endInput(): void {
    if (this.#isInputOver) return;
    this.#isInputOver = true;
    this.push(null);
  }
}
