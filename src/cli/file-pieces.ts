import { Fault, sentenceOf } from "#errors";
import { fs } from "./lazy-fs.ts";

const CHUNK_BYTES = 1024 * 1024;

/** A file in pieces. Throws in Docker's words when it cannot be opened. */
export function filePieces(path: string): AsyncGenerator<Uint8Array> {
  const descriptor = opened(path);
  return (async function* () {
    try {
      for (;;) {
        const piece = new Uint8Array(CHUNK_BYTES);
        const length = fs().readSync(descriptor, piece);
        if (length === 0) return;
        yield piece.subarray(0, length);
      }
    } finally {
      fs().closeSync(descriptor);
    }
  })();
}

function opened(path: string): number {
  try {
    return fs().openSync(path, "r");
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    if (isMissing) throw new Fault("not_found", `open ${path}: no such file or directory`, { cause });
    throw new Fault("invalid", `Cannot open ${path}: ${sentenceOf(cause)}`, { cause });
  }
}
