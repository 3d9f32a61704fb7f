import type { Socket } from "bun";
import { scratch } from "./scratch.ts";

export interface FakeRequest {
  readonly method: string;
  /** Path and query, without the version. */
  readonly target: string;
  readonly version: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
  /** Which connection it came on, counted from 0. */
  readonly connection: number;
}

/** One connection, as a handler sees it. */
export class FakeConnection {
  readonly #socket: Socket<FakeConnection>;
  readonly number: number;
  #received = "";
  #isEnded = false;
  #isRaw = false;
  readonly #ended = Promise.withResolvers<void>();
  #heard = Promise.withResolvers<void>();
  readonly #onRequest: (request: FakeRequest, connection: FakeConnection) => void;

  constructor(
    socket: Socket<FakeConnection>,
    number: number,
    onRequest: (request: FakeRequest, connection: FakeConnection) => void,
  ) {
    this.#socket = socket;
    this.number = number;
    this.#onRequest = onRequest;
  }

  write(content: string | Uint8Array): void {
    this.#socket.write(content);
    this.#socket.flush();
  }

  /** A whole reply with a length. */
  reply(status: number, body: unknown, fields = ""): void {
    const text = body === undefined ? "" : JSON.stringify(body);
    this.write(`HTTP/1.1 ${status} X\r\n${fields}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  /** Hands the connection over; what follows on it is raw. */
  upgrade(type = "application/vnd.docker.multiplexed-stream"): void {
    this.#isRaw = true;
    this.write(
      `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    );
  }

  /** Resolves with all raw input once the client has ended its side. */
  async input(): Promise<string> {
    await this.#ended.promise;
    return this.#received;
  }

  /** Resolves when the raw input contains a text. */
  async heard(text: string): Promise<void> {
    while (!this.#received.includes(text)) await this.#heard.promise;
  }

  /** Resolves when the client has ended its side or gone. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  end(): void {
    this.#socket.end();
  }

  receive(bytes: Uint8Array): void {
    this.#received += Buffer.from(bytes).toString("latin1");
    while (!this.#isRaw && this.#takeRequest());
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }

  finish(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#ended.resolve();
  }

  #takeRequest(): boolean {
    const end = this.#received.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const [first = "", ...lines] = this.#received.slice(0, end).split("\r\n");
    const fields = new Map(
      lines.map((line) => [line.split(":")[0]?.toLowerCase() ?? "", line.replace(/^[^:]*:\s*/, "")]),
    );
    const length = Number(fields.get("content-length") ?? 0);
    if (this.#received.length < end + 4 + length) return false;
    const body = this.#received.slice(end + 4, end + 4 + length);
    this.#received = this.#received.slice(end + 4 + length);
    const [method = "", path = ""] = first.split(" ");
    const [, version = "", target = path] = /^\/v([\d.]+)(\/.*)$/.exec(path) ?? [];
    this.#onRequest({ method, target, version, fields, body, connection: this.number }, this);
    return !this.#isRaw;
  }
}

export interface FakeDaemon extends AsyncDisposable {
  /** `unix://…` */
  readonly host: string;
  readonly requests: readonly FakeRequest[];
}

/** Listens on a socket of its own and answers each request by the handler; the request is kept for a look afterwards. */
export async function fakeDaemon(
  handle: (request: FakeRequest, connection: FakeConnection) => void,
): Promise<FakeDaemon> {
  const folder = await scratch();
  const path = `${folder.path}/daemon.sock`;
  const requests: FakeRequest[] = [];
  let connections = 0;
  const listener = Bun.listen<FakeConnection>({
    unix: path,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        socket.data = new FakeConnection(socket, connections++, (request, connection) => {
          requests.push(request);
          handle(request, connection);
        });
      },
      data: (socket, bytes) => socket.data.receive(bytes),
      end: (socket) => socket.data.finish(),
      close: (socket) => socket.data?.finish(),
      error: () => undefined,
    },
  });
  return {
    host: `unix://${path}`,
    requests,
    async [Symbol.asyncDispose]() {
      listener.stop(true);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** One frame of a multiplexed stream: 1 is standard output, 2 standard error. */
export function frame(stream: number, text: string): Uint8Array {
  const content = Buffer.from(text);
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(content.length, 4);
  return Buffer.concat([header, content]);
}
