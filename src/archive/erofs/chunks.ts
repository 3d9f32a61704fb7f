import type { Segment } from "../entry.ts";
import { BLOCK, blocksFor, HOLE } from "./layout.ts";

/** A map of holes has at most so many entries of four bytes. */
const CHUNKS_LIMIT = 65536;

/** How a file with holes lies in the image: chunks of one size, those without data left out. */
export interface Chunks {
  /** Bytes to be allocated. */
  readonly bytes: number;
  /** What the inode says: the chunk's size, as a power of two of blocks. */
  readonly format: number;
  /** Where an offset that is in a segment lies, from the start of what was allocated. */
  placeOf(offset: number): number;
  /** The block of each chunk. */
  index(firstBlock: number): Buffer;
}

export function chunksOf(size: number, segments: readonly Segment[]): Chunks {
  let format = 0;
  while (Math.ceil(size / (BLOCK * 2 ** format)) > CHUNKS_LIMIT) format++;
  const chunk = BLOCK * 2 ** format;
  const count = Math.ceil(size / chunk);
  /** Each chunk's place among those that are there; undefined for a hole. */
  const places = new Map<number, number>();
  for (const { offset, length } of segments)
    if (length > 0)
      for (let at = Math.floor(offset / chunk); at <= Math.floor((offset + length - 1) / chunk); at++)
        if (!places.has(at)) places.set(at, places.size);
  return {
    bytes: places.size * chunk,
    format,
    placeOf: (offset) => (places.get(Math.floor(offset / chunk)) ?? 0) * chunk + (offset % chunk),
    index(firstBlock) {
      const table = Buffer.alloc(count * 4);
      for (let at = 0; at < count; at++) {
        const place = places.get(at);
        table.writeUInt32LE(place === undefined ? HOLE : firstBlock + place * blocksFor(chunk), at * 4);
      }
      return table;
    },
  };
}
