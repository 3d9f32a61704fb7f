import { describe, expect, test } from "bun:test";
import { insidePath, keepEnd, namesContent, namesDirectory, splitPath } from "../../../src/archive/paths.ts";
import { renamed } from "../../../src/archive/placing.ts";

describe("paths of cp", () => {
  test.each([
    ["/a", false, false],
    ["/a/", false, true],
    ["/a/.", true, true],
    ["/a/./", true, true],
    [".", true, true],
    ["", true, true],
    ["/", false, true],
    ["/a.", false, false],
    ["/a/..", false, false],
  ])("%j: names content %j, names a directory %j", (path, content, directory) => {
    expect([namesContent(path), namesDirectory(path)]).toEqual([content, directory]);
  });

  test.each([
    ["etc", "/etc"],
    ["/etc/", "/etc/"],
    ["/etc/.", "/etc/."],
    ["../../x", "/x"],
    ["//a//b", "/a/b"],
    ["/", "/"],
    [".", "/."],
    ["/.", "/."],
    ["./", "/."],
    ["/a/../", "/"],
  ])("%j in a container is %j", (path, expected) => {
    expect(insidePath(path)).toBe(expected);
  });

  test.each([
    ["/a/b", "/a/", "b"],
    ["/a/b/", "/a/", "b"],
    ["/a/b/.", "/a/b/", "."],
    ["/", "/", ""],
    ["a", "", "a"],
    ["/.", "/", "."],
  ])("%j is split into %j and %j", (path, directory, base) => {
    expect(splitPath(path)).toEqual({ directory, base });
  });

  test("an end is kept once", () => {
    expect(keepEnd("/a", "/a/.")).toBe("/a/.");
    expect(keepEnd("/", "x/..//")).toBe("/");
  });
});

test.each([
  ["a", "a", "b", "b"],
  ["a/", "a", "b", "b/"],
  ["a/x/a", "a", "b", "b/x/a"],
  ["ab/x", "a", "b", "ab/x"],
  ["./x", ".", "b", "b/x"],
  ["./", ".", "b", "b/"],
  ["/", "/", "b", "b/"],
  ["/etc/x", "/", "b", "b/etc/x"],
])("%j with %j renamed to %j is %j", (path, from, to, expected) => {
  expect(renamed(path, { from, to })).toBe(expected);
});
