import { Fault } from "#errors";
import { must, readAt } from "#host";

const CHUNK_BYTES = 512 * 1024;
/** The line on stdin that says that a growing file is whole. */
export const WHOLE = "whole";

/** Standard input as it comes. */
export async function* readStdin(): AsyncGenerator<Buffer> {
  for await (const chunk of Bun.stdin.stream())
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

/** The first line on stdin of what is to be unpacked; how far the file has grown follows. */
export interface Order {
  readonly directory: string;
  readonly style: string;
  readonly path: string;
  /** Whether it is to be hashed once it is not compressed. */
  readonly isHashed: boolean;
}

/**
 * A file that somebody else still writes: lines say how many bytes are there, and at last that it is whole; what follows
 * is left to the caller. A piece holds until the next is asked for.
 */
export async function* followFile(
  descriptor: number,
  growth: AsyncIterator<string>,
): AsyncGenerator<Buffer, void> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (let offset = 0; ; ) {
    const { value: line, done } = await growth.next();
    if (done === true) throw new Fault("cancelled", "Cannot unpack the archive: its sender went away");
    if (line === WHOLE) return;
    for (const available = Number(line); offset < available; ) {
      const chunk = buffer.subarray(0, available - offset);
      const length = must(readAt(descriptor, chunk, offset), "read the blob");
      if (length === 0) throw new Fault("internal", "Cannot read the blob: it is shorter than announced");
      offset += length;
      yield chunk.subarray(0, length);
    }
  }
}

/** Lines of text, without their ends. */
export async function* lines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
