import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Descriptor, type Digest, MEDIA, sha256 } from "#oci";

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Aborted when the client closed the connection before the whole answer was sent. */
  readonly dropped: Promise<void>;
}

export interface Exchange {
  readonly request: RecordedRequest;
  readonly response: ServerResponse;
  readonly socket: Socket;
  /** The answer that would be given, for a fault that changes a part of it. */
  readonly stored: Stored | undefined;
  /** Keeps the connection open until the test calls `cut`. */
  hold(): void;
}

export interface Stored {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** Answers instead of the registry when it returns true. */
export type Fault = (exchange: Exchange) => boolean;

/** A registry on loopback, in this process, that remembers who asked for what and misbehaves on demand. */
export class FakeRegistry implements AsyncDisposable {
  readonly requests: RecordedRequest[] = [];
  readonly faults: Fault[] = [];
  readonly #blobs = new Map<string, Stored>();
  readonly #manifests = new Map<string, Stored>();
  readonly #tags = new Map<string, Set<string>>();
  readonly #held = new Set<Socket>();
  readonly #server = createServer((incoming, response) => this.#answer(incoming, response));

  static async start(): Promise<FakeRegistry> {
    const registry = new FakeRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  /** `127.0.0.1:port` */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** What was asked for since, without hosts: `GET /v2/app/manifests/latest`. */
  get lines(): readonly string[] {
    return this.requests.map(({ method, path }) => `${method} ${path}`);
  }

  addBlob(bytes: Uint8Array | string, mediaType: string = MEDIA.ociLayer): Descriptor {
    const stored = { bytes: Buffer.from(bytes), mediaType, digest: sha256(bytes) };
    this.#blobs.set(stored.digest, stored);
    return { mediaType, digest: stored.digest, size: stored.bytes.length };
  }

  addManifest(
    name: string,
    reference: string,
    document: unknown,
    mediaType: string = MEDIA.ociManifest,
  ): Descriptor {
    const bytes = Buffer.from(typeof document === "string" ? document : JSON.stringify(document));
    const stored = { bytes, mediaType, digest: sha256(bytes) };
    this.#manifests.set(`${name}:${reference}`, stored);
    this.#manifests.set(`${name}:${stored.digest}`, stored);
    const tags = this.#tags.get(name) ?? new Set();
    if (!reference.startsWith("sha256:")) this.#tags.set(name, tags.add(reference));
    return { mediaType, digest: stored.digest, size: bytes.length };
  }

  /** An image of uncompressed layers whose bytes need not be archives; answers its manifest. */
  addImage(
    name: string,
    reference: string,
    {
      layers,
      platform = { os: "linux", architecture: "amd64" },
    }: {
      readonly layers: readonly (Uint8Array | string)[];
      readonly platform?: { readonly os: string; readonly architecture: string };
    },
  ): Descriptor {
    const blobs = layers.map((layer) => this.addBlob(layer));
    const config = {
      ...platform,
      config: { Cmd: ["true"] },
      rootfs: { type: "layers", diff_ids: blobs.map(({ digest }) => digest) },
    };
    return this.addManifest(name, reference, {
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      config: this.addBlob(JSON.stringify(config), MEDIA.ociConfig),
      layers: blobs,
    });
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    const path = incoming.url ?? "";
    const dropped = new Promise<void>((resolve) => {
      response.on("close", () => {
        if (!response.writableFinished) resolve();
      });
    });
    const request = { method: incoming.method ?? "", path, headers: incoming.headers, dropped };
    this.requests.push(request);
    const stored = this.#find(path);
    const { socket } = incoming;
    const exchange = { request, response, socket, stored, hold: () => this.#held.add(socket) };
    if (this.faults.some((fault) => fault(exchange))) return;
    const tags = path.endsWith("/tags/list") ? this.#tagsOf(path) : undefined;
    if (tags !== undefined) answerTags(response, tags);
    else if (stored === undefined) answerProblem(response, path);
    else answerStored(request, response, stored);
  }

  /** Closes the connections that faults have held open. */
  cut(): void {
    for (const socket of this.#held) socket.destroy();
    this.#held.clear();
  }

  #find(path: string): Stored | undefined {
    const [, name, kind, reference = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)$/.exec(path) ?? [];
    return kind === "blobs" ? this.#blobs.get(reference) : this.#manifests.get(`${name}:${reference}`);
  }

  #tagsOf(path: string): ReadonlySet<string> | undefined {
    return this.#tags.get(path.slice("/v2/".length, -"/tags/list".length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function answerTags(response: ServerResponse, tags: ReadonlySet<string>): void {
  const body = JSON.stringify({ name: "", tags: [...tags] });
  response.writeHead(200, { "Content-Type": "application/json" }).end(body);
}

function answerProblem(response: ServerResponse, path: string): void {
  const code = path.includes("/blobs/")
    ? "BLOB_UNKNOWN"
    : path.endsWith("/tags/list")
      ? "NAME_UNKNOWN"
      : "MANIFEST_UNKNOWN";
  const body = { errors: [{ code, message: code.toLowerCase().replace("_", " ") }] };
  response.writeHead(404, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

function answerStored({ method, headers }: RecordedRequest, response: ServerResponse, stored: Stored): void {
  const { bytes, mediaType, digest } = stored;
  const start = Number(/^bytes=([0-9]+)-$/.exec(String(headers.range ?? ""))?.[1] ?? 0);
  const isPart = headers.range !== undefined;
  response.writeHead(isPart ? 206 : 200, {
    "Content-Type": mediaType,
    "Content-Length": bytes.length - start,
    "Docker-Content-Digest": digest,
    ...(isPart && { "Content-Range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
  });
  response.end(method === "HEAD" ? undefined : bytes.subarray(start));
}

/** The fault strikes the first so many requests whose path contains the word. */
export function times(count: number, word: string, fault: (exchange: Exchange) => void): Fault {
  let left = count;
  return (exchange) => {
    if (left === 0 || !exchange.request.path.includes(word)) return false;
    left -= 1;
    fault(exchange);
    return true;
  };
}

/** Promises the whole, sends so many bytes of what was asked for, and leaves the line to be cut. */
export function breakAfter(length: number): (exchange: Exchange) => void {
  return ({ request, response, stored, hold }) => {
    const start = Number(/^bytes=([0-9]+)-$/.exec(String(request.headers.range ?? ""))?.[1] ?? 0);
    const bytes = (stored?.bytes ?? new Uint8Array()).subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      "Content-Length": bytes.length,
      ...(start > 0 && {
        "Content-Range": `bytes ${start}-${start + bytes.length - 1}/${start + bytes.length}`,
      }),
    });
    response.write(bytes.subarray(0, length));
    hold();
  };
}

/** Promises the whole, knows no Range, and closes after so many bytes. */
export function cutAfter(length: number): (exchange: Exchange) => void {
  return ({ response, socket, stored }) => {
    const bytes = stored?.bytes ?? new Uint8Array();
    response.writeHead(200, { "Content-Length": bytes.length });
    response.write(bytes.subarray(0, length), () => socket.destroySoon());
  };
}

/** Answers with the whole, whatever Range asked for. */
export function ignoreRange({ response, stored }: Exchange): void {
  const bytes = stored?.bytes ?? new Uint8Array();
  response.writeHead(200, { "Content-Length": bytes.length }).end(bytes);
}

export function status(
  code: number,
  headers: Readonly<Record<string, string>> = {},
  body = "",
): (exchange: Exchange) => void {
  return ({ response }) => {
    response.writeHead(code, headers).end(body);
  };
}

/** Sends a part and then nothing more. */
export function stallAfter(length: number): (exchange: Exchange) => void {
  return ({ response, stored }) => {
    response.writeHead(200, { "Content-Length": stored?.bytes.length ?? length + 1 });
    response.write((stored?.bytes ?? new Uint8Array(length + 1)).subarray(0, length));
  };
}
