import { Fault } from "#errors";
import { ChunkDecoder, type framingOf } from "./http.ts";
import type { Wire } from "./wire.ts";

export async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Reads a body to its end; `release` learns whether the connection is fit for another call. */
export function content(
  wire: Wire,
  framing: Exclude<ReturnType<typeof framingOf>, { kind: "none" }>,
  release: Release,
): AsyncGenerator<Uint8Array> {
  return framing.kind === "chunked"
    ? chunks(wire, release)
    : sized(wire, { bytes: framing.kind === "sized" ? framing.bytes : Number.POSITIVE_INFINITY, release });
}

type Release = (isWhole: boolean) => void;

async function* sized(
  wire: Wire,
  { bytes, release }: { readonly bytes: number; readonly release: Release },
): AsyncGenerator<Uint8Array> {
  let remaining = bytes;
  try {
    while (remaining > 0) {
      const piece = await wire.read();
      if (piece === undefined && bytes === Number.POSITIVE_INFINITY) remaining = 0;
      else if (piece === undefined) throw cutShort();
      else {
        if (piece.length > remaining) wire.unread(piece.subarray(remaining));
        const content = piece.subarray(0, remaining);
        remaining -= content.length;
        yield content;
      }
    }
  } finally {
    release(remaining === 0);
  }
}

async function* chunks(wire: Wire, release: Release): AsyncGenerator<Uint8Array> {
  const decoder = new ChunkDecoder();
  const pieces: Uint8Array[] = [];
  try {
    while (!decoder.isDone) {
      const piece = await wire.read();
      if (piece === undefined) throw cutShort();
      wire.unread(decoder.push(piece, (content) => pieces.push(content)));
      for (const content of pieces.splice(0)) yield content;
    }
  } finally {
    release(decoder.isDone);
  }
}

function cutShort(): Fault {
  return new Fault("unavailable", "Cannot read the whole reply: the daemon closed the connection");
}
