import { expect, test } from "bun:test";
import { encodePathStat, toGoMode } from "../../../src/api/path-stat.ts";

// Source: Go's io/fs, FileMode.
test.each([
  ["a file", 0o100644, 0o644],
  ["a directory", 0o040755, 2 ** 31 + 0o755],
  ["a link", 0o120777, 2 ** 27 + 0o777],
  ["a block device", 0o060660, 2 ** 26 + 0o660],
  ["a character device", 0o020666, 2 ** 26 + 2 ** 21 + 0o666],
  ["a pipe", 0o010600, 2 ** 25 + 0o600],
  ["a socket", 0o140755, 2 ** 24 + 0o755],
  ["a set-uid file", 0o104755, 2 ** 23 + 0o755],
  ["a set-gid directory", 0o042755, 2 ** 31 + 2 ** 22 + 0o755],
  ["a sticky directory", 0o041777, 2 ** 31 + 2 ** 20 + 0o777],
])("the mode of %s", (_, mode, expected) => {
  expect(toGoMode(mode)).toBe(expected);
});

test("the header is base64 of JSON, whatever the name", () => {
  const stat = { name: "ü\n", size: 1, mode: 2 ** 31, mtime: "2026-01-01T00:00:00Z", linkTarget: "" };
  expect(JSON.parse(Buffer.from(encodePathStat(stat), "base64").toString())).toEqual(stat);
  expect(encodePathStat(stat)).toMatch(/^[A-Za-z0-9+/]+=*$/);
});
