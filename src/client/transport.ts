import { Fault, type FaultKind } from "#errors";
import { type Address, parseAddress } from "./address.ts";
import { endOfHead, framingOf, HEAD_BYTES, type Head, parseHead } from "./http.ts";
import { content, nothing } from "./reply-content.ts";
import { type TlsKeys, Wire } from "./wire.ts";

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface Call {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly fields?: Readonly<Record<string, string>>;
  /** Ends the connection, which cancels what the daemon does for this call. */
  readonly signal?: AbortSignal;
}

/** A call whose body is made while it is sent. */
export interface Upload extends Omit<Call, "body"> {
  readonly stream: AsyncIterable<Uint8Array>;
}

/** A reply whose body is still on its way. It must be read to its end, or closed. */
export interface Reply {
  readonly status: number;
  /** Whether output comes in frames. Undefined when the daemon is too old to say. */
  readonly isMultiplexed: boolean | undefined;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: AsyncIterable<Uint8Array>;
  close(): void;
}

/** A connection that the daemon has handed over for raw bytes. */
export interface Upgraded {
  readonly wire: Wire;
  /** Whether output comes in frames (no terminal) or raw (terminal). Undefined when the daemon does not say. */
  readonly isMultiplexed: boolean | undefined;
  readonly fields: ReadonlyMap<string, string>;
}

export interface TransportOptions {
  readonly tls?: TlsKeys;
  /** API version to ask for, such as `1.50`. */
  readonly apiVersion?: string;
  /** Sent with every call, except for those that the call itself needs. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The API version whose shapes this client reads. */
export const API_VERSION = "1.50";
const ERROR_BODY_BYTES = 1 << 20;
const IDLE_CONNECTIONS = 4;

const KINDS: Readonly<Record<number, FaultKind>> = {
  400: "invalid",
  401: "unauthorized",
  403: "denied",
  404: "not_found",
  409: "conflict",
  501: "unsupported",
  503: "unavailable",
};

const encoder = new TextEncoder();
const CRLF = encoder.encode("\r\n");
const decoder = new TextDecoder();

/** Speaks HTTP/1.1 to one daemon; consecutive calls share a connection. */
export class Transport implements Disposable {
  readonly address: Address;
  readonly #tls: TlsKeys | undefined;
  readonly #headers: Readonly<Record<string, string>>;
  #apiVersion: string;
  /** Whether the daemon has answered in that version. */
  #isAnswered = false;
  readonly #idle: Wire[] = [];
  readonly #all = new Set<Wire>();

  constructor(host: string, { tls, apiVersion = API_VERSION, headers = {} }: TransportOptions = {}) {
    this.address = parseAddress(host, tls !== undefined);
    this.#tls = tls;
    this.#apiVersion = apiVersion;
    this.#headers = withoutReserved(headers);
  }

  get apiVersion(): string {
    return this.#apiVersion;
  }

  /** @throws Fault with the daemon's sentence and the kind that belongs to its status */
  async call(method: string, path: string, call: Call = {}): Promise<Reply> {
    const isReusing = this.#idle.some((wire) => wire.isOpen);
    const wire = await this.#connect();
    const head = await this.#exchange(
      wire,
      requestBytes(method, this.#target(path, call), this.address, this.#dressed(call)),
      call,
    );
    if (head === undefined) {
      this.#drop(wire);
      // A kept connection may end just as it is used again; asking again is safe only for a question.
      if (isReusing && method === "GET") return this.call(method, path, call);
      throw closedOn(`complete ${method} ${path}`, wire);
    }
    const reply = this.#reply(wire, head, method);
    if (head.status < 400) return reply;
    const fault = await faultOf(reply);
    if (this.#lowersVersion(fault)) return this.call(method, path, call);
    throw fault;
  }

  /** The whole reply as JSON; undefined when it has no body. */
  async json<T>(method: string, path: string, call: Call = {}): Promise<T> {
    const text = await textOf(await this.call(method, path, call));
    try {
      return (text.trim() === "" ? undefined : JSON.parse(text)) as T;
    } catch (cause) {
      throw new Fault(
        "internal",
        `Cannot understand the daemon's reply to ${method} ${path}: it is not JSON`,
        { cause },
      );
    }
  }

  /** Runs a call whose reply does not matter; tells its status. */
  async send(method: string, path: string, call: Call = {}): Promise<number> {
    const reply = await this.call(method, path, call);
    await textOf(reply);
    return reply.status;
  }

  /**
   * Sends a body of unknown length on a connection of its own, until it ends or the daemon has answered.
   * @throws Fault with the daemon's sentence, also when that came before everything was sent
   */
  async upload(method: string, path: string, { stream, ...call }: Upload): Promise<Reply> {
    // What is sent once cannot be sent again in an older version: which one is spoken has to be known before.
    if (!this.#isAnswered) await this.#settleVersion(call);
    const wire = await Wire.open(this.address, this.#tls);
    this.#all.add(wire);
    const fields = { ...this.#headers, ...call.fields, "Transfer-Encoding": "chunked" };
    const head = this.#exchange(
      wire,
      requestBytes(method, this.#target(path, call), this.address, { ...call, fields }),
      call,
    );
    const answered = head.then(
      () => true,
      () => true,
    );
    try {
      await sendChunks(wire, stream, answered);
    } catch (thrown) {
      if (!(thrown instanceof Fault && thrown.kind === "unavailable")) {
        this.#drop(wire);
        throw thrown;
      }
    }
    const found = await head;
    if (found === undefined) {
      this.#drop(wire);
      throw closedOn(`complete ${method} ${path}`, wire);
    }
    const reply = this.#reply(wire, found, method);
    if (found.status < 400) return reply;
    const fault = await faultOf(reply);
    this.#drop(wire);
    throw fault;
  }

  /** A ping that somebody refuses, who stands between, tells nothing and forbids nothing. */
  async #settleVersion({ signal }: Call): Promise<void> {
    try {
      await this.send("GET", "/_ping", signal && { signal });
    } catch (thrown) {
      if (!(thrown instanceof Fault) || ["unavailable", "cancelled"].includes(thrown.kind)) throw thrown;
    }
  }

  /** Asks the daemon to hand the connection over. Source: Engine API, "stream hijacking". */
  async upgrade(path: string, call: Call = {}): Promise<Upgraded> {
    const wire = await this.#connect();
    const fields = { ...this.#headers, ...call.fields, Connection: "Upgrade", Upgrade: "tcp" };
    const request = requestBytes("POST", this.#target(path, call), this.address, { ...call, fields });
    const head = await this.#exchange(wire, request, call);
    if (head === undefined) throw closedOn(`attach by ${path}`, wire);
    if (head.status !== 101 && head.status !== 200) {
      const fault = await faultOf(this.#reply(wire, head, "POST"));
      if (this.#lowersVersion(fault)) return this.upgrade(path, call);
      throw fault;
    }
    const { fields: told } = head;
    return { wire, isMultiplexed: isMultiplexed(told, this.#apiVersion), fields: told };
  }

  /** A connection on which nothing has been said. */
  dial(): Promise<Wire> {
    return this.#connect();
  }

  [Symbol.dispose](): void {
    for (const wire of this.#all) wire.close();
    this.#all.clear();
    this.#idle.length = 0;
  }

  async #connect(): Promise<Wire> {
    for (let wire = this.#idle.pop(); wire !== undefined; wire = this.#idle.pop()) {
      if (wire.isOpen) return wire;
      this.#drop(wire);
    }
    const wire = await Wire.open(this.address, this.#tls);
    this.#all.add(wire);
    return wire;
  }

  #dressed(call: Call): Call {
    return { ...call, fields: { ...this.#headers, ...call.fields } };
  }

  #drop(wire: Wire): void {
    wire.close();
    this.#all.delete(wire);
  }

  #target(path: string, { query }: Call): string {
    return `/v${this.#apiVersion}${path}${query === undefined ? "" : queryText(query)}`;
  }

  async #exchange(wire: Wire, request: Uint8Array, { signal }: Call): Promise<Head | undefined> {
    signal?.throwIfAborted();
    signal?.addEventListener("abort", () => this.#drop(wire), { once: true });
    await wire.write(request);
    let bytes: Uint8Array = new Uint8Array(0);
    for (;;) {
      const end = endOfHead(bytes);
      if (end > 0) {
        const head = parseHead(bytes.subarray(0, end));
        bytes = bytes.subarray(end);
        if (head.status >= 200 || head.status === 101) {
          wire.unread(bytes);
          return head;
        }
        continue;
      }
      if (bytes.length > HEAD_BYTES)
        throw new Fault("internal", "Cannot understand the daemon's reply: its head has no end");
      const more = await wire.read();
      if (more === undefined) return undefined;
      bytes = bytes.length === 0 ? more : Buffer.concat([bytes, more]);
    }
  }

  #reply(wire: Wire, head: Head, method: string): Reply {
    this.#isAnswered ||= head.status < 400;
    const framing = framingOf(head, method);
    const isKept = head.fields.get("connection")?.toLowerCase() !== "close" && framing.kind !== "untilClose";
    const release = (isWhole: boolean) => {
      if (isWhole && isKept && wire.isOpen && this.#idle.length < IDLE_CONNECTIONS) this.#idle.push(wire);
      else this.#drop(wire);
    };
    if (framing.kind === "none") release(true);
    const body = framing.kind === "none" ? nothing() : content(wire, framing, release);
    const frames = isMultiplexed(head.fields, this.#apiVersion);
    return {
      status: head.status,
      isMultiplexed: frames,
      fields: head.fields,
      body,
      close: () => this.#drop(wire),
    };
  }

  /** An older daemon names the newest version that it knows; from then on that one is spoken. */
  #lowersVersion({ kind, message }: Fault): boolean {
    const [, newest] = /Maximum supported API version is (\d+\.\d+)/.exec(message) ?? [];
    if (kind !== "invalid" || newest === undefined || newest === this.#apiVersion) return false;
    this.#apiVersion = newest;
    return true;
  }
}

function queryText(query: Query): string {
  const parts = Object.entries(query).flatMap(([name, value]) =>
    (value === undefined ? [] : [value]).flat().map((one) => `${name}=${encodeURIComponent(String(one))}`),
  );
  return parts.length > 0 ? `?${parts.join("&")}` : "";
}

/** Fields that frame a request, or say whom it is for, are the transport's own. */
const RESERVED = "connection content-length content-type host transfer-encoding upgrade user-agent".split(
  " ",
);

function withoutReserved(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const name in headers) if (!RESERVED.includes(name.toLowerCase())) kept[name] = headers[name] ?? "";
  return kept;
}

function requestBytes(
  method: string,
  target: string,
  address: Address,
  { body, fields = {} }: Call,
): Uint8Array {
  const text = body === undefined ? "" : JSON.stringify(body);
  const isChunked = "Transfer-Encoding" in fields;
  const isSized = !isChunked && (body !== undefined || method === "POST" || method === "PUT");
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${address.kind === "tcp" ? `${address.host}:${address.port}` : "bunker"}`,
    "User-Agent: bunker",
    ...(body === undefined ? [] : ["Content-Type: application/json"]),
    ...(isSized ? [`Content-Length: ${Buffer.byteLength(text)}`] : []),
  ];
  for (const name in fields) lines.push(`${name}: ${fields[name]}`);
  return encoder.encode(`${lines.join("\r\n")}\r\n\r\n${text}`);
}

/** Chunked transfer coding. Gives up when the daemon has answered: it wants no more. Source: RFC 9112 section 7.1. */
async function sendChunks(
  wire: Wire,
  stream: AsyncIterable<Uint8Array>,
  answered: Promise<boolean>,
): Promise<void> {
  const written = async (bytes: Uint8Array) => {
    await wire.write(bytes);
    return false;
  };
  for await (const piece of stream) {
    if (piece.length === 0) continue;
    const chunk = Buffer.concat([encoder.encode(`${piece.length.toString(16)}\r\n`), piece, CRLF]);
    const writing = written(chunk);
    writing.catch(() => undefined);
    if (await Promise.race([writing, answered])) return;
  }
  await Promise.race([wire.write(encoder.encode("0\r\n\r\n")), answered]);
}

function closedOn(what: string, { failure }: Wire): Fault {
  const reason = failure === undefined ? "" : ` (${failure})`;
  return new Fault("unavailable", `Cannot ${what}: the daemon closed the connection${reason}`);
}

/** Daemons below API 1.42 call both forms raw. */
const TELLS_FRAMES_MINOR = 42;

/** Whether output comes in frames, by the reply's content type. */
function isMultiplexed(fields: ReadonlyMap<string, string>, apiVersion: string): boolean | undefined {
  const type = fields.get("content-type") ?? "";
  if (type.includes("multiplexed-stream")) return true;
  return Number(apiVersion.split(".")[1]) < TELLS_FRAMES_MINOR ? undefined : false;
}

export async function textOf(reply: Reply): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reply.body) pieces.push(piece);
  const [only] = pieces;
  return decoder.decode(pieces.length === 1 ? only : Buffer.concat(pieces));
}

async function faultOf(reply: Reply): Promise<Fault> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of reply.body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > ERROR_BODY_BYTES) break;
  }
  const text = decoder.decode(Buffer.concat(pieces)).trim();
  const kind = KINDS[reply.status] ?? (reply.status < 500 ? "invalid" : "internal");
  return new Fault(kind, `Error response from daemon: ${messageIn(text) || `status ${reply.status}`}`);
}

function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text);
    return typeof message === "string" ? message : text;
  } catch {
    return text;
  }
}
