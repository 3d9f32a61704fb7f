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
  /** Hands so many bytes of its body on, and then both connections break. */
  forwardPart(bytes: number): Promise<void>;
  /** Hands the request on; the connection breaks before its answer comes. */
  forwardUnanswered(): Promise<void>;
}

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
    this.requests.push({
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      headers: incoming.headers,
    });
    const exchange: Exchange = {
      incoming,
      response,
      forward: (change = (headers) => headers) => this.#forward(incoming, { response, change }),
      forwardPart: (bytes) => this.#forwardPart(incoming, bytes),
      forwardUnanswered: async () => {
        await this.#forward(incoming, {});
        incoming.socket.destroy();
      },
    };
    if (!this.faults.some((fault) => fault(exchange))) void exchange.forward();
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
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part as Buffer);
    const { method = "GET", headers } = incoming;
    const answer = await fetch(new URL(incoming.url ?? "", this.#upstream), {
      method,
      headers: { ...(headers as Record<string, string>), host: this.#upstream.host, connection: "close" },
      redirect: "manual",
      ...(parts.length > 0 && { body: Buffer.concat(parts) }),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    response?.writeHead(answer.status, change(Object.fromEntries(answer.headers))).end(bytes);
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
      headers: { ...rest, host: this.#upstream.host, "transfer-encoding": "chunked" },
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

  /** Until the registry says that it has them: what is on the line when it breaks would be lost. */
  async #received(path: string, bytes: number): Promise<void> {
    for (;;) {
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
