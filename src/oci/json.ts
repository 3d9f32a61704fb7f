import { Fault } from "#errors";

/** Far deeper than any manifest or configuration, far from any parser's end. */
const DEEPEST = 100;
const OPEN = new Set(["{", "["]);
const CLOSE = new Set(["}", "]"]);

/** Parses a document from outside, as UTF-8 and not nested absurdly. Throws `invalid`, naming `what`. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (depthOf(text) > DEEPEST) throw new Error(`nested deeper than ${DEEPEST}`);
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("invalid", `Cannot read ${what}: it is no proper JSON document (${reason})`, { cause });
  }
}

/** The greatest number of brackets open at once, those inside strings left out. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/gs)) {
    if (OPEN.has(token)) depth += 1;
    else if (CLOSE.has(token)) depth -= 1;
    if (depth > deepest) deepest = depth;
    if (deepest > DEEPEST) return deepest;
  }
  return deepest;
}
