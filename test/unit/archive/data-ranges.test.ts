import { expect, test } from "bun:test";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SEEK_HOLE, seek } from "#host";
import { nextData } from "../../../src/archive/data-ranges.ts";

const MEGABYTE = 1024 * 1024;
const what = () => "read the file";

/** Two megabytes that begin with a hole and end with data. */
function withFile(use: (descriptor: number) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "bunker-data-"));
  try {
    const descriptor = openSync(join(folder, "file"), "wx+");
    try {
      writeSync(descriptor, Buffer.alloc(MEGABYTE, "x"), 0, MEGABYTE, MEGABYTE);
      use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("data is found behind a hole, and none behind the end", () => {
  withFile((descriptor) => {
    expect(nextData(descriptor, 0, { what })).toEqual({ start: MEGABYTE, end: 2 * MEGABYTE });
    expect(nextData(descriptor, 2 * MEGABYTE, { what })).toBeUndefined();
  });
});

test("a file that is cut off before it is told where its data ends has none there", () => {
  withFile((descriptor) => {
    const ask: typeof seek = (of, offset, whence) => {
      if (whence === SEEK_HOLE) ftruncateSync(of, 1);
      return seek(of, offset, whence);
    };
    expect(nextData(descriptor, 0, { what, ask })).toBeUndefined();
  });
});

test("what cannot be asked is told", () => {
  expect(() => nextData(-1, 0, { what })).toThrow("Cannot read the file: EBADF");
});
