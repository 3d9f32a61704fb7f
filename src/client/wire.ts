import type { Socket } from "bun";
import { Fault, sentenceOf } from "#errors";
import type { Address } from "./address.ts";
import type { Line } from "./ssh.ts";

/** Certificates for a daemon behind TLS, as PEM text. */
export interface TlsKeys {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Whether the daemon's certificate must be signed by `ca` (or a known authority). */
  readonly isVerified: boolean;
}

/** Bytes that may wait for a slow reader before the socket is paused. */
const QUEUE_BYTES = 1 << 20;

/**
 * One ordered byte stream to the daemon, with back pressure both ways and half-close.
 * Built on Bun's own sockets: loading node:net alone costs more than a whole `bunker version`.
 */
export class Wire {
  #socket: Line | undefined;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #isPaused = false;
  #isEnded = false;
  #failure: Error | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /** @throws Fault `unavailable` when nothing listens there, `denied` when it is not whom the certificates speak of */
  static async open(address: Address, tls?: TlsKeys): Promise<Wire> {
    const wire = new Wire();
    if (address.kind === "ssh") {
      const { SshLine } = await import("./ssh.ts");
      wire.#socket = new SshLine(address, wire.#lineHandlers());
    } else if (address.kind === "tcp" && tls !== undefined) await wire.#openSecure(address, tls);
    else await wire.#openPlain(address);
    return wire;
  }

  async #openPlain(address: Exclude<Address, { kind: "ssh" }>): Promise<void> {
    const shared = { allowHalfOpen: true, socket: this.#handlers() };
    try {
      this.#socket = await (address.kind === "unix"
        ? Bun.connect({ ...shared, unix: address.path })
        : Bun.connect({ ...shared, hostname: address.host, port: address.port }));
    } catch (thrown) {
      throw unreachable(address, thrown);
    }
  }

  /** Nothing is written before the other side has shown who it is. */
  async #openSecure(address: Address & { kind: "tcp" }, keys: TlsKeys): Promise<void> {
    const agreed = Promise.withResolvers<string | undefined>();
    const handlers = this.#handlers();
    const socket = {
      ...handlers,
      handshake: (_: Socket, isTrusted: boolean, reason: Error | null) =>
        agreed.resolve(isTrusted || !keys.isVerified ? undefined : (reason?.message ?? "it is not trusted")),
      close: (from: Socket, error?: Error) => {
        agreed.resolve(sentenceOf(error ?? "it ended the connection; does it speak TLS?"));
        handlers.close(from, error);
      },
    };
    const tls = { ...tlsOptions(keys), serverName: address.host };
    try {
      const { host: hostname, port } = address;
      this.#socket = await Bun.connect({ allowHalfOpen: true, socket, hostname, port, tls });
    } catch (thrown) {
      throw unreachable(address, thrown);
    }
    const problem = await agreed.promise;
    if (problem === undefined) return;
    this.close();
    throw new Fault("denied", `Cannot connect to the bunker daemon at ${address.text} with TLS: ${problem}`);
  }

  #lineHandlers() {
    return {
      data: (bytes: Uint8Array) => this.#receive(bytes),
      drain: () => this.#wake("writer"),
      finish: (error?: Error) => this.#finish(error),
    };
  }

  #handlers() {
    return {
      data: (_: Socket, bytes: Uint8Array) => this.#receive(bytes),
      drain: () => this.#wake("writer"),
      end: () => this.#finish(),
      close: (_: Socket, error?: Error) => this.#finish(error),
      error: (_: Socket, error: Error) => this.#finish(error),
      connectError: () => undefined,
    };
  }

  /** Why the stream ended, if it was not the daemon's wish: its refusal of our certificate, say. */
  get failure(): string | undefined {
    return this.#failure?.message;
  }

  /** Whether neither side has ended the stream yet. */
  get isOpen(): boolean {
    return !this.#isEnded && this.#socket !== undefined;
  }

  #receive(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > QUEUE_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#socket?.pause();
    }
    this.#wake("reader");
  }

  #finish(error?: Error): void {
    this.#isEnded = true;
    this.#failure ??= error;
    this.#wake("reader");
    this.#wake("writer");
  }

  #wake(who: "reader" | "writer"): void {
    const wake = who === "reader" ? this.#wakeReader : this.#wakeWriter;
    if (who === "reader") this.#wakeReader = undefined;
    else this.#wakeWriter = undefined;
    wake?.();
  }

  /** The next bytes, or undefined when the daemon has ended its side. */
  async read(): Promise<Uint8Array | undefined> {
    while (this.#queue.length === 0) {
      if (this.#isEnded) return undefined;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
    const bytes = this.#queue.shift();
    this.#queuedBytes -= bytes?.length ?? 0;
    if (this.#isPaused && this.#queuedBytes < QUEUE_BYTES / 2) {
      this.#isPaused = false;
      this.#socket?.resume();
    }
    return bytes;
  }

  /** Puts back what was read too far. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#queue.unshift(bytes);
    this.#queuedBytes += bytes.length;
  }

  /**
   * Resolves when the kernel has taken all bytes.
   * @throws Fault `unavailable` when the daemon no longer listens to this stream
   */
  async write(bytes: Uint8Array): Promise<void> {
    let sent = 0;
    while (sent < bytes.length) {
      const written = this.#failure === undefined ? (this.#socket?.write(bytes.subarray(sent)) ?? -1) : -1;
      if (written < 0) throw new Fault("unavailable", "Cannot write to the daemon: it closed the connection");
      sent += written;
      if (sent < bytes.length)
        await new Promise<void>((resolve) => {
          this.#wakeWriter = resolve;
        });
    }
  }

  /** Tells the daemon that nothing more will be written; reading goes on. */
  endWriting(): void {
    this.#socket?.shutdown();
  }

  close(): void {
    this.#isEnded = true;
    this.#socket?.end();
    this.#socket = undefined;
    this.#wake("reader");
    this.#wake("writer");
  }
}

function tlsOptions({ ca, cert, key, isVerified }: TlsKeys) {
  return { ca, cert, key, rejectUnauthorized: isVerified };
}

function unreachable(address: Address, cause: unknown): Fault {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code === "EACCES" || code === "EPERM")
    return new Fault(
      "denied",
      `permission denied while trying to connect to the bunker daemon socket at ${address.text}: become root, or a member of the socket's group`,
      { cause },
    );
  const isAbsent = ["ENOENT", "ECONNREFUSED", "FailedToOpenSocket", ""].includes(code);
  const reason = isAbsent ? "" : ` (${sentenceOf(cause)})`;
  return new Fault(
    "unavailable",
    `Cannot connect to the bunker daemon at ${address.text}. Is the bunker daemon running?${reason}`,
    { cause },
  );
}
