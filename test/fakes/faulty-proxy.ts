import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Proxied {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Exchange {
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  /** Hands the request on, and its answer back with other headers where that is wanted. */
  forward(change?: (headers: Record<string, string>) => Record<string, string>): Promise<void>;
  /** Hands the request on, and returns what came back instead of passing it on. */
  ask(): Promise<Answered>;
  /** Hands so many bytes of its body on, and then both connections break. */
  forwardPart(bytes: number): Promise<void>;
  /** Hands the request on; the connection breaks before its answer comes. */
  forwardUnanswered(): Promise<void>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly bytes: Buffer;
}

const MOST_TRIES = 100;

/** What happens to a request instead of being handed on; false when it does not concern it. */
export type ProxyFault = (exchange: Exchange) => boolean;

/** Stands before a real registry on loopback, remembers what it was asked, and breaks what a test wants broken. */
export class FaultyProxy implements AsyncDisposable {
  readonly requests: Proxied[] = [];
  readonly faults: ProxyFault[] = [];
  readonly #upstream: URL;
  readonly #server = createServer((incoming, response) => this.#answer(incoming, response));

  private constructor(upstream: string) {
    this.#upstream = new URL(upstream);
  }

  static async before(upstream: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(upstream);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** `PATCH /v2/app/blobs/uploads/…`, without the ids of uploads and what digests are of. */
  get lines(): readonly string[] {
    return this.requests.map(({ method, path }) =>
      `${method} ${path}`
        .replace(/uploads\/[0-9a-f-]{36}/, "uploads/ID")
        .replaceAll(/sha256(:|%3A)\w+/g, "DIGEST"),
    );
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    // Who was refused may go away before it has sent all.
    incoming.on("error", () => undefined);
    this.requests.push({
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      headers: incoming.headers,
    });
    const exchange: Exchange = {
      incoming,
      response,
      forward: (change = (headers) => headers) => this.#forward(incoming, { response, change }),
      ask: () => this.#ask(incoming),
      forwardPart: (bytes) => this.#forwardPart(incoming, bytes),
      forwardUnanswered: async () => {
        await this.#forward(incoming, {});
        incoming.socket.destroy();
      },
    };
    if (!this.faults.some((fault) => fault(exchange))) exchange.forward().catch(() => response.destroy());
  }

  async #forward(
    incoming: IncomingMessage,
    {
      response,
      change = (headers) => headers,
    }: {
      readonly response?: ServerResponse;
      readonly change?: (headers: Record<string, string>) => Record<string, string>;
    },
  ): Promise<void> {
    const { status, headers, bytes } = await this.#ask(incoming);
    response?.writeHead(status, change(headers)).end(bytes);
  }

  async #ask(incoming: IncomingMessage): Promise<Answered> {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part as Buffer);
    const { method = "GET", headers } = incoming;
    const answer = await fetch(new URL(incoming.url ?? "", this.#upstream), {
      method,
      headers: { ...(headers as Record<string, string>), connection: "close" },
      redirect: "manual",
      ...(parts.length > 0 && { body: Buffer.concat(parts) }),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    return { status: answer.status, headers: Object.fromEntries(answer.headers), bytes };
  }

  async #forwardPart(incoming: IncomingMessage, bytes: number): Promise<void> {
    const { method, url, headers, socket } = incoming;
    const { promise: taken, resolve } = Promise.withResolvers<void>();
    const { hostname, port } = this.#upstream;
    const { "content-length": _length, ...rest } = headers;
    const upstream = request({
      hostname,
      port,
      method,
      path: url,
      headers: { ...rest, "transfer-encoding": "chunked" },
    });
    upstream.on("error", () => undefined);
    let left = bytes;
    for await (const part of incoming) {
      const some = (part as Buffer).subarray(0, left);
      left -= some.length;
      if (left > 0) upstream.write(some);
      else {
        upstream.write(some, () => resolve());
        break;
      }
    }
    await taken;
    await this.#received(url ?? "", bytes);
    upstream.destroy();
    socket.destroy();
  }

  /** Until the registry says that it has them: what is on the line when it breaks is lost. Some say so only at the end. */
  async #received(path: string, bytes: number): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const { headers } = await fetch(new URL(path, this.#upstream));
      if (headers.get("range") === `0-${bytes - 1}`) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The fault strikes the first so many requests with that method whose path contains the word. */
export function strikes(
  count: number,
  [method, word]: readonly [string, string],
  fault: (exchange: Exchange) => unknown,
): ProxyFault {
  let left = count;
  return (exchange) => {
    const { incoming } = exchange;
    if (left === 0 || incoming.method !== method || !(incoming.url ?? "").includes(word)) return false;
    left -= 1;
    void fault(exchange);
    return true;
  };
}

/** Takes what is sent, and answers so. */
export function says(
  status: number,
  headers: Readonly<Record<string, string>> = {},
): (exchange: Exchange) => void {
  return ({ incoming, response }) => {
    incoming.resume();
    incoming.on("end", () => response.writeHead(status, headers).end());
  };
}

/** Promises the whole answer, sends half of it, and breaks the line. */
export async function breaksAnswer({ ask, response }: Exchange): Promise<void> {
  const { status, headers, bytes } = await ask();
  response.writeHead(status, { ...headers, "content-length": String(bytes.length) });
  response.write(bytes.subarray(0, bytes.length / 2), () => response.socket?.destroySoon());
}

/** Sends half of the answer, and then nothing more. */
export async function fallsSilent({ ask, response }: Exchange): Promise<void> {
  const { status, headers, bytes } = await ask();
  response.writeHead(status, { ...headers, "content-length": String(bytes.length) });
  response.write(bytes.subarray(0, bytes.length / 2));
}

/** Answers with other bytes than came back, as if they were all. */
export function changes(change: (bytes: Buffer) => Uint8Array): (exchange: Exchange) => Promise<void> {
  return async ({ ask, response }) => {
    const { status, headers, bytes } = await ask();
    const other = change(bytes);
    response.writeHead(status, { ...headers, "content-length": String(other.length) }).end(other);
  };
}
