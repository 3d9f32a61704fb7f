import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beginWriteOut } from "#host";
import { sha256 } from "#oci";
import { writeArchiveInto } from "../../../src/archive/output.ts";

const PIECE_BYTES = 700_001;
const PIECES = 30;

test("what is written into a file lies there piece after piece, is told as it grows, and comes to its digest", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bunker-output-"));
  const descriptor = openSync(join(folder, "archive"), "wx+");
  try {
    const all = Buffer.alloc(PIECES * PIECE_BYTES);
    for (let at = 0; at < PIECES; at++) all.fill(at + 1, at * PIECE_BYTES, (at + 1) * PIECE_BYTES);
    const piece = Buffer.alloc(PIECE_BYTES);
    // Each piece is in the same memory as the one before.
    const pieces = (function* () {
      for (let at = 0; at < PIECES; at++) yield piece.fill(at + 1);
    })();
    const told: number[] = [];
    expect(await writeArchiveInto(descriptor, pieces, (written) => told.push(written))).toBe(sha256(all));
    expect(told).toEqual(Array.from({ length: PIECES }, (_, at) => (at + 1) * PIECE_BYTES));
    expect(readFileSync(join(folder, "archive")).equals(all)).toBeTrue();
    expect(beginWriteOut(descriptor, 0, all.length)).toBe(0);
  } finally {
    closeSync(descriptor);
    rmSync(folder, { recursive: true });
  }
});
