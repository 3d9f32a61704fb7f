import { Fault } from "#errors";

/** The status line and the fields of a reply; field names are in lower case. */
export interface Head {
  readonly status: number;
  readonly reason: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** A head longer than this is no daemon's. */
export const HEAD_BYTES = 64 << 10;
const CHUNK_LINE_BYTES = 4 << 10;
const LF = 10;
const CR = 13;

const decoder = new TextDecoder();

/** Where the head ends (just behind its empty line), or -1. */
export function endOfHead(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

/** @throws Fault `internal` when this is no HTTP/1 reply */
export function parseHead(bytes: Uint8Array): Head {
  const [first = "", ...lines] = decoder.decode(bytes).split(/\r?\n/);
  const [, status, reason = ""] = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(first) ?? [];
  if (status === undefined)
    throw new Fault(
      "internal",
      `Cannot understand the daemon's reply: it begins with ${JSON.stringify(first.slice(0, 60))}`,
    );
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(status), reason, fields };
}

/** How the end of a body is known. Source: RFC 9112 section 6.3. */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "sized"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "untilClose" };

export function framingOf({ status, fields }: Head, method: string): Framing {
  if (method === "HEAD" || status === 204 || status === 304 || status < 200) return { kind: "none" };
  if (/(^|,)\s*chunked\s*$/i.test(fields.get("transfer-encoding") ?? "")) return { kind: "chunked" };
  const length = fields.get("content-length");
  if (length === undefined) return { kind: "untilClose" };
  if (!/^\d{1,15}$/.test(length))
    throw new Fault("internal", "Cannot understand the daemon's reply: bad Content-Length");
  return Number(length) === 0 ? { kind: "none" } : { kind: "sized", bytes: Number(length) };
}

/** Takes chunked transfer coding apart, however the bytes arrive. Source: RFC 9112 section 7.1. */
export class ChunkDecoder {
  #state: "size" | "data" | "dataEnd" | "trailer" | "done" = "size";
  #line = "";
  #remaining = 0;

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Hands each piece of content to `emit`; returns the bytes that follow the body. */
  push(bytes: Uint8Array, emit: (content: Uint8Array) => void): Uint8Array {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(bytes.length, at + this.#remaining);
        emit(bytes.subarray(at, end));
        this.#remaining -= end - at;
        at = end;
        if (this.#remaining === 0) this.#state = "dataEnd";
        continue;
      }
      const end = bytes.indexOf(LF, at);
      this.#line += decoder.decode(bytes.subarray(at, end < 0 ? bytes.length : end));
      if (this.#line.length > CHUNK_LINE_BYTES) throw brokenChunk();
      if (end < 0) return bytes.subarray(bytes.length);
      at = end + 1;
      this.#takeLine();
    }
    return bytes.subarray(at);
  }

  #takeLine(): void {
    const line = this.#line.replace(/\r$/, "");
    this.#line = "";
    if (this.#state === "dataEnd") {
      if (line !== "") throw brokenChunk();
      this.#state = "size";
    } else if (this.#state === "trailer") {
      if (line === "") this.#state = "done";
    } else {
      const [, digits] = /^([0-9a-f]{1,12})\s*(?:;.*)?$/i.exec(line) ?? [];
      if (digits === undefined) throw brokenChunk();
      this.#remaining = Number.parseInt(digits, 16);
      this.#state = this.#remaining === 0 ? "trailer" : "data";
    }
  }
}

function brokenChunk(): Fault {
  return new Fault("internal", "Cannot understand the daemon's reply: broken chunk");
}
