import { Fault } from "#errors";
import { wholeResponse } from "./whole.ts";

/** Go's largest int64, which clients in Go refuse to exceed. */
const INT64_MAX = "9223372036854775807";

/** A number that may have left the range of int64, where a value begins. Text that looks so is only looked at again. */
const BEYOND = /[:[,]-?\d{19}/;

/**
 * JSON in which a bigint is a number with all its digits, and no whole number leaves the range of int64:
 * 2^63-1 becomes 2^63 on its way through a double, and a Go client would refuse that.
 */
export function toJson(value: unknown): string {
  try {
    const text = JSON.stringify(value);
    return BEYOND.test(text) ? exactJson(value) : text;
  } catch (thrown) {
    // That is how a bigint is refused.
    if (thrown instanceof TypeError) return exactJson(value);
    throw thrown;
  }
}

/** Many times slower: each value is looked at. */
function exactJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === "bigint") return JSON.rawJSON(item.toString());
    if (typeof item === "number" && item >= 2 ** 63 && Number.isInteger(item)) return JSON.rawJSON(INT64_MAX);
    return item;
  });
}

export function jsonResponse(value: unknown, status = 200): Response {
  return jsonTextResponse(toJson(value), status);
}

/** For what is JSON already. */
export function jsonTextResponse(text: string, status = 200): Response {
  const line = `${text}\n`;
  const length = String(Buffer.byteLength(line));
  const headers = { "Content-Type": "application/json", "Content-Length": length };
  return wholeResponse(line, { status, headers });
}

export function emptyResponse(status: number): Response {
  return new Response(null, { status });
}

/** One JSON value and nothing after it; an empty text is `undefined`. */
export function parseJson(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault("invalid", `Invalid JSON in the request body: ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.replace(/^JSON Parse error: /, "") : "malformed";
}
