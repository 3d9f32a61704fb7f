import { Fault } from "#errors";
import { ChunkDecoder, type framingOf } from "./http.ts";
import type { Wire } from "./wire.ts";

export async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Reads a body to its end; `release` learns whether the connection is fit for another call. */
export async function* content(
  wire: Wire,
  framing: Exclude<ReturnType<typeof framingOf>, { kind: "none" }>,
  release: (isWhole: boolean) => void,
): AsyncGenerator<Uint8Array> {
  let isWhole = false;
  try {
    if (framing.kind === "chunked") yield* chunks(wire);
    else yield* sized(wire, framing.kind === "sized" ? framing.bytes : Number.POSITIVE_INFINITY);
    isWhole = true;
  } finally {
    release(isWhole);
  }
}

async function* sized(wire: Wire, bytes: number): AsyncGenerator<Uint8Array> {
  let remaining = bytes;
  while (remaining > 0) {
    const piece = await wire.read();
    if (piece === undefined && bytes === Number.POSITIVE_INFINITY) return;
    if (piece === undefined) throw cutShort();
    if (piece.length > remaining) wire.unread(piece.subarray(remaining));
    yield piece.subarray(0, remaining);
    remaining -= Math.min(piece.length, remaining);
  }
}

async function* chunks(wire: Wire): AsyncGenerator<Uint8Array> {
  const decoder = new ChunkDecoder();
  while (!decoder.isDone) {
    const piece = await wire.read();
    if (piece === undefined) throw cutShort();
    const pieces: Uint8Array[] = [];
    wire.unread(decoder.push(piece, (content) => pieces.push(content)));
    yield* pieces;
  }
}

function cutShort(): Fault {
  return new Fault("unavailable", "Cannot read the whole reply: the daemon closed the connection");
}
