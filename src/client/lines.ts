import { Fault } from "#errors";

/** One JSON value longer than this is no progress line. */
const LINE_BYTES = 16 << 20;

/** The lines of a stream of bytes, without their ends (LF or CRLF); empty lines are left out. */
export async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of body) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_BYTES)
      throw new Fault("internal", "Cannot read the daemon's stream: a line has no end");
    for (const line of lines) if (line.trim() !== "") yield line.trim();
  }
  if (rest.trim() !== "") yield rest.trim();
}

/** The JSON values of a stream that has one a line. */
export async function* valuesOf<T>(body: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  for await (const line of linesOf(body)) {
    try {
      yield JSON.parse(line) as T;
    } catch (cause) {
      throw new Fault("internal", "Cannot read the daemon's stream: a line is not JSON", { cause });
    }
  }
}
