import { expect, jest, test } from "bun:test";
import { Quiet, releaseMemory, unwrittenParts } from "../../../src/host/memory.ts";

const part = (head: string, anonymous: number) =>
  `${head}\nSize:    100 kB\nAnonymous:    ${anonymous} kB\nVmFlags: rd mr mw me\n`;
const SMAPS = [
  part("00200000-01a39000 r--p 00000000 fe:00 2187815                  /usr/bin/bunker", 0),
  part("01a39000-05000000 r-xp 01838000 fe:00 2187815                  /usr/bin/bunker", 0),
  part("05000000-05010000 r--p 04f00000 fe:00 2187815                  /usr/bin/bunker", 64),
  part("05010000-05100000 rw-p 04f10000 fe:00 2187815                  /usr/bin/bunker", 0),
  part("7fbe71bde000-7fbe71d34000 r-xp 00026000 fe:00 339442           /usr/lib/libc.so.6", 0),
  part("7fbe71d8d000-7fbe71d9a000 r--p 00000000 00:00 0", 0),
].join("");

test("of a program's memory only what its own file holds unchanged can be read again", () => {
  expect(unwrittenParts(SMAPS, "/usr/bin/bunker")).toEqual([
    { start: 0x200000, length: 0x1a39000 - 0x200000 },
    { start: 0x1a39000, length: 0x5000000 - 0x1a39000 },
  ]);
  expect(unwrittenParts(SMAPS, "/usr/bin/bunk")).toEqual([]);
});

test("a program goes on after it has given its memory back", () => {
  releaseMemory();
  expect([3, 1, 2].toSorted()).toEqual([1, 2, 3]);
});

test("quiet comes once, a while after the last touch", () => {
  jest.useFakeTimers();
  let rests = 0;
  using quiet = new Quiet(1000, () => {
    rests += 1;
  });
  quiet.touch();
  jest.advanceTimersByTime(900);
  quiet.touch();
  jest.advanceTimersByTime(900);
  expect(rests).toBe(0);
  jest.advanceTimersByTime(5000);
  expect(rests).toBe(1);
  jest.useRealTimers();
});
