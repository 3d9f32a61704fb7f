import { Fault } from "#errors";

/** Far deeper than any manifest or configuration, far from any parser's end. */
const DEEPEST = 100;
const OPEN = new Set(Buffer.from("{["));
const CLOSE = new Set(Buffer.from("}]"));
const [QUOTE, BACKSLASH] = Buffer.from('"\\');

/** Parses a document from outside, as UTF-8 and not nested absurdly. Throws `invalid`, naming `what`. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (depthOf(bytes) > DEEPEST) throw new Error(`nested deeper than ${DEEPEST}`);
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("invalid", `Cannot read ${what}: it is no proper JSON document (${reason})`, { cause });
  }
}

/** The greatest number of brackets open at once, those inside strings left out. Each byte is looked at once. */
function depthOf(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let isText = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (isText) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) isText = true;
    else if (OPEN.has(byte)) {
      depth += 1;
      if (depth > deepest) deepest = depth;
      if (deepest > DEEPEST) return deepest;
    } else if (CLOSE.has(byte)) depth -= 1;
  }
  return deepest;
}
