import { expect, test } from "bun:test";
import { cleanPayload, runsOfFile, sectionOf } from "../../../src/host/payload.ts";

const PRESENT = 1n << 63n;
const OF_FILE = 1n << 61n;

test("of pages only those count that are there and the file's, in runs", () => {
  const entries = [PRESENT | OF_FILE, PRESENT | OF_FILE, PRESENT, 0n, OF_FILE, PRESENT | OF_FILE | 5n];
  const bytes = new Uint8Array(BigUint64Array.from(entries).buffer);
  expect(runsOfFile(bytes, 16)).toEqual([
    { start: 0x10000, length: 0x2000 },
    { start: 0x15000, length: 0x1000 },
  ]);
  expect(runsOfFile(new Uint8Array(4), 0)).toEqual([]);
});

const READELF = Bun.which("readelf");

test.skipIf(READELF === null)("a section is found where the program says that it lies", () => {
  const { stdout } = Bun.spawnSync([READELF ?? "", "-S", "-W", "/bin/ls"]);
  const [, address = "", size = ""] =
    /\.rodata\s+PROGBITS\s+([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+)/.exec(stdout.toString()) ?? [];
  expect(sectionOf("/bin/ls", ".rodata")).toEqual({
    start: Number.parseInt(address, 16),
    length: Number.parseInt(size, 16),
  });
  expect(sectionOf("/bin/ls", ".nothing")).toBeUndefined();
  expect(sectionOf("/etc/passwd", ".rodata")).toBeUndefined();
  expect(sectionOf("/nonexistent", ".rodata")).toBeUndefined();
});

test("a program that was not compiled has no payload", () => {
  expect(cleanPayload("/bin/ls")).toEqual([]);
});
