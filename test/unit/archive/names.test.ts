import { expect, test } from "bun:test";
import { cleanPath } from "../../../src/archive/names.ts";

test.each([
  ["a/b", "a/b"],
  ["./a/b/", "a/b"],
  ["/etc/passwd", "etc/passwd"],
  ["a//b/./c", "a/b/c"],
  ["a/../b", "b"],
  ["./", ""],
  [".", ""],
  ["/", ""],
  ["..a/b..", "..a/b.."],
  ["a/...", "a/..."],
])("%j is unpacked to %j", (path, expected) => {
  expect(cleanPath(path)).toBe(expected);
});

test.each([
  ["..", "leads out"],
  ["../x", "leads out"],
  ["/../x", "leads out"],
  ["a/../../x", "leads out"],
  ["./../x", "leads out"],
  ["a/b\0c", "NUL"],
  ["x".repeat(256), "longer than 255"],
  ["abcdefg/".repeat(600), "longer than 4095"],
])("%j is refused: %s", (path, reason) => {
  expect(() => cleanPath(path)).toThrow(reason);
});
