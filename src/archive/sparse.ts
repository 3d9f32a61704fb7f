import { Fault } from "#errors";
import { type Cursor, type Parsing, truncated } from "./cursor.ts";
import type { Segment } from "./entry.ts";
import { BLOCK } from "./header.ts";
import { readDecimal, readNumber } from "./numbers.ts";
import { pairs } from "./pax.ts";

/** A map longer than this is no honest file. */
const SEGMENTS_LIMIT = 1_000_000;

/** Where a sparse file has bytes, how large it is with its holes, and how much of the data the map took. */
export interface SparseMap {
  readonly segments: readonly Segment[];
  readonly size: number;
  readonly consumed: number;
}

/** The old GNU format: four segments in the header, 21 in each block that may follow. Source: tar(5), "GNU tar". */
export function* readOldSparse(header: Buffer, cursor: Cursor): Parsing<SparseMap> {
  const numbers: number[] = [];
  collect(header, { offset: 386, count: 4 }, numbers);
  const size = readNumber(header, 483, 12);
  for (let isMore = header[482] !== 0; isMore; ) {
    const block = yield* cursor.take(BLOCK);
    if (block === undefined) throw truncated();
    collect(block, { offset: 0, count: 21 }, numbers);
    if (numbers.length > SEGMENTS_LIMIT * 2) throw tooMany();
    isMore = block[504] !== 0;
  }
  return { segments: pairs(numbers), size, consumed: 0 };
}

function collect(
  block: Buffer,
  { offset, count }: { readonly offset: number; readonly count: number },
  numbers: number[],
): void {
  for (let at = offset; at < offset + count * 24; at += 24) {
    if (block[at] === 0) return;
    numbers.push(readNumber(block, at, 12), readNumber(block, at + 12, 12));
  }
}

/** PAX format 1.0: decimal lines at the start of the data, padded to a block. Source: GNU tar manual, "PAX 1". */
export function* readSparse1(cursor: Cursor, size: number): Parsing<SparseMap> {
  const numbers: number[] = [];
  let wanted = 1;
  let line = "";
  let consumed = 0;
  while (numbers.length < wanted) {
    const block = yield* cursor.take(BLOCK);
    if (block === undefined) throw truncated();
    consumed += BLOCK;
    const lines = (line + block.toString("latin1", 0, BLOCK)).split("\n");
    line = lines.pop() ?? "";
    for (const text of lines) {
      if (numbers.length === wanted) break;
      numbers.push(readDecimal(text));
      if (numbers.length === 1) wanted = 1 + 2 * (numbers[0] ?? 0);
    }
    if (wanted > SEGMENTS_LIMIT * 2 || line.length > BLOCK) throw tooMany();
  }
  return { segments: pairs(numbers.slice(1)), size, consumed };
}

function tooMany(): Fault {
  return new Fault(
    "invalid",
    `Cannot read the archive: a sparse file has more than ${SEGMENTS_LIMIT} segments`,
  );
}
