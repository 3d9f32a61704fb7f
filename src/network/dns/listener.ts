import type { Socket as TcpSocket, udp } from "bun";
import { inNetworkNamespace } from "#host";
import { FrameReader, framed } from "./frames.ts";
import { EMBEDDED_SERVER } from "./upstream.ts";

export type Transport = "udp" | "tcp";

/** Called for each message; the reply may come at once, later, or never. */
export type Handle = (message: Uint8Array, transport: Transport, reply: (answer: Uint8Array) => void) => void;

export interface Ports {
  readonly udp: number;
  readonly tcp: number;
}

/** Bounds for each container. What floods is not answered, so that others are. */
const MAX_DATAGRAMS_A_SECOND = 150_000;
const MAX_DATAGRAMS_AT_ONCE = 15_000;
const SEND_TRIES = 3;
const MAX_CONNECTIONS = 64;
const MAX_QUERY_BYTES = 4096;
/** Of answers that a client does not take. */
const MAX_UNSENT_BYTES = 256 * 1024;
/** In which a whole question must come. Source: RFC 7766, section 6.2.3. */
const IDLE_SECONDS = 10;

interface Connection {
  readonly frames: FrameReader;
  unsent: Uint8Array[];
}

/** The two sockets on 127.0.0.11 in a container's network namespace. Closing them lets the namespace end. */
export class Listener implements Disposable {
  readonly ports: Ports;
  readonly #close: () => void;

  private constructor(ports: Ports, close: () => void) {
    this.ports = ports;
    this.#close = close;
  }

  /** With port 0 the kernel chooses. */
  static async open(namespacePath: string, port: number, handle: Handle): Promise<Listener> {
    await using undo = new AsyncDisposableStack();
    const tcp = inNetworkNamespace(namespacePath, () => listen(port, handle));
    undo.defer(() => tcp.close());
    const udp = await inNetworkNamespace(namespacePath, () => bind(port, handle));
    undo.move();
    return new Listener({ udp: udp.port, tcp: tcp.port }, () => {
      udp.close();
      tcp.close();
    });
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

function bind(port: number, handle: Handle) {
  const meter = new Meter();
  return Bun.udpSocket({
    hostname: EMBEDDED_SERVER,
    port,
    socket: {
      data(socket, data, clientPort, address) {
        // Nothing can be sent to port 0, which only a forged datagram comes from.
        if (clientPort === 0 || !meter.admits()) return;
        handle(data, "udp", (answer) => {
          if (!socket.closed) send(socket, answer, { port: clientPort, address });
        });
      },
      // The kernel's word that a client has gone.
      error() {},
    },
  });
}

interface Client {
  readonly port: number;
  readonly address: string;
}

/**
 * That an earlier client has gone is told to the next one's answer, which is not sent then: so it is tried again. A
 * client that does not take its own asks again: nothing is kept for it.
 */
export function send(
  socket: Pick<udp.Socket<"buffer">, "send">,
  answer: Uint8Array,
  { port, address }: Client,
): void {
  for (let tries = 0; tries < SEND_TRIES; tries += 1) {
    try {
      socket.send(answer, port, address);
      return;
    } catch {
      // It is told once.
    }
  }
}

/** Admits so many in a second, and not more than so many at once. */
class Meter {
  #left = MAX_DATAGRAMS_AT_ONCE;
  #filled = performance.now();

  admits(): boolean {
    if (this.#left < 1) this.#fill();
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  #fill(): void {
    const now = performance.now();
    const earned = ((now - this.#filled) / 1000) * MAX_DATAGRAMS_A_SECOND;
    this.#left = Math.min(MAX_DATAGRAMS_AT_ONCE, this.#left + earned);
    this.#filled = now;
  }
}

function listen(port: number, handle: Handle): { readonly port: number; close(): void } {
  const open = new Set<TcpSocket<Connection>>();
  const server = Bun.listen<Connection>({
    hostname: EMBEDDED_SERVER,
    port,
    socket: {
      open(socket) {
        if (open.size >= MAX_CONNECTIONS) return void socket.terminate();
        open.add(socket);
        socket.data = { frames: readerFor(socket, handle), unsent: [] };
        socket.timeout(IDLE_SECONDS);
      },
      data(socket, data) {
        if (socket.data?.frames.push(data) !== true) socket.terminate();
      },
      drain: (socket) => flush(socket),
      timeout: (socket) => void socket.terminate(),
      close: (socket) => void open.delete(socket),
      error: (socket) => void socket.terminate(),
    },
  });
  const close = () => {
    server.stop(true);
    for (const socket of open) socket.terminate();
  };
  return { port: server.port, close };
}

function readerFor(socket: TcpSocket<Connection>, handle: Handle): FrameReader {
  return new FrameReader((message) => {
    socket.timeout(IDLE_SECONDS);
    handle(message, "tcp", (answer) => {
      if (socket.readyState !== 1) return;
      socket.data.unsent.push(framed(answer));
      flush(socket);
    });
  }, MAX_QUERY_BYTES);
}

function flush(socket: TcpSocket<Connection>): void {
  const { data } = socket;
  while (data.unsent.length > 0) {
    const [first = new Uint8Array(0)] = data.unsent;
    const written = socket.write(first);
    if (written < first.length) {
      data.unsent[0] = first.subarray(Math.max(0, written));
      const unsent = data.unsent.reduce((sum, { length }) => sum + length, 0);
      if (unsent > MAX_UNSENT_BYTES) socket.terminate();
      return;
    }
    data.unsent.shift();
  }
}
