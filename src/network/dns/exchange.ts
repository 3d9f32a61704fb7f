import { inNetworkNamespace } from "#host";
import type { Asking, Exchange } from "./forward.ts";
import { FrameReader, framed } from "./frames.ts";
import { MAX_MESSAGE_BYTES } from "./wire.ts";

const DNS_PORT = 53;

/**
 * Asks over sockets of one container's network namespace, or of the host's: each question from a socket, and so from
 * a port, of its own.
 */
export class SocketExchange implements Exchange {
  readonly #namespacePath: string;

  constructor(namespacePath: string) {
    this.#namespacePath = namespacePath;
  }

  async udp(asking: Asking): Promise<Uint8Array | undefined> {
    using wait = new Wait(asking);
    const opening = this.#from(asking, () =>
      Bun.udpSocket({
        // A socket of one family reaches no server of the other.
        hostname: asking.server.address.includes(":") ? "::" : "0.0.0.0",
        connect: { hostname: asking.server.address, port: asking.server.port ?? DNS_PORT },
        socket: {
          data: (_, data) => wait.offer(data),
          error: () => wait.end(),
        },
      }),
    );
    const socket = await opening;
    if (socket === undefined) return undefined;
    try {
      socket.send(asking.message);
      return await wait.answer;
    } catch {
      // It may not be sent there: by a rule, or because the link has gone.
      return undefined;
    } finally {
      socket.close();
    }
  }

  async tcp(asking: Asking): Promise<Uint8Array | undefined> {
    using wait = new Wait(asking);
    const frame = framed(asking.message);
    const received = new FrameReader((message) => wait.offer(message), MAX_MESSAGE_BYTES);
    const opening = this.#from(asking, () =>
      Bun.connect({
        hostname: asking.server.address,
        port: asking.server.port ?? DNS_PORT,
        socket: {
          open: (socket) => {
            // A question fits the buffer of a new connection.
            if (socket.write(frame) !== frame.length) wait.end();
          },
          data: (_, data) => {
            if (!received.push(data)) wait.end();
          },
          close: () => wait.end(),
          error: () => wait.end(),
          connectError: () => wait.end(),
        },
      }),
    );
    // A server that never accepts must not be waited for longer than asked.
    const connected = opening.then((socket) => {
      if (socket === undefined) wait.end();
      return socket;
    });
    try {
      return await wait.answer;
    } finally {
      void connected.then((socket) => socket?.terminate());
    }
  }

  /** Undefined where no socket can be had: no route, or the namespace has ended. */
  async #from<Socket>({ server, signal }: Asking, open: () => Promise<Socket>): Promise<Socket | undefined> {
    // The path may be another's by then.
    if (signal.aborted) return undefined;
    try {
      return await (server.from === "host" ? open() : inNetworkNamespace(this.#namespacePath, open));
    } catch {
      return undefined;
    }
  }
}

/** Waits for the first datagram or message that is an answer, no longer than asked. */
class Wait implements Disposable {
  readonly answer: Promise<Uint8Array | undefined>;
  readonly #asking: Asking;
  readonly #resolve: (answer: Uint8Array | undefined) => void;
  readonly #timer: Timer;
  readonly #abort = () => this.end();

  constructor(asking: Asking) {
    const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
    this.answer = promise;
    this.#asking = asking;
    this.#resolve = resolve;
    this.#timer = setTimeout(this.#abort, asking.timeoutMilliseconds);
    asking.signal.addEventListener("abort", this.#abort);
    if (asking.signal.aborted) this.end();
  }

  offer(message: Uint8Array): void {
    if (this.#asking.isAnswer(message)) this.#resolve(message);
  }

  end(): void {
    this.#resolve(undefined);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#asking.signal.removeEventListener("abort", this.#abort);
  }
}
