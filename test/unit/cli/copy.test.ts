import { describe, expect, test } from "bun:test";
import { directionOf } from "../../../src/cli/copy/copy.ts";
import { placementOf, throughLink } from "../../../src/cli/copy/placement.ts";

const FILE = { path: "/s/file", isDirectory: false };
const FOLDER = { path: "/s/dir", isDirectory: true };
const CONTENT = { path: "/s/dir/.", isDirectory: true };
const absent = (path: string) => ({ path, exists: false, isDirectory: false });
const file = (path: string) => ({ path, exists: true, isDirectory: false });
const folder = (path: string) => ({ path, exists: true, isDirectory: true });

// Source: docker docs, "docker container cp".
describe("where a copy goes", () => {
  test.each([
    ["a file to nothing", FILE, absent("/d/x"), "/d/", "x"],
    ["a file onto a file", FILE, file("/d/x"), "/d/", "x"],
    ["a file into a folder", FILE, folder("/d/x"), "/d/x", "file"],
    ["a folder to nothing", FOLDER, absent("/d/x"), "/d/", "x"],
    ["a folder to nothing, with a slash", FOLDER, absent("/d/x/"), "/d/", "x"],
    ["a folder into a folder", FOLDER, folder("/d/x"), "/d/x", "dir"],
    ["a folder's content to nothing", CONTENT, absent("/d/x"), "/d/", "x"],
    ["a folder's content into a folder", CONTENT, folder("/d/x"), "/d/x", "."],
    ["a link's target into a folder", { ...FILE, rename: "link" }, folder("/d"), "/d", "link"],
    ["the root to nothing", { path: "/", isDirectory: true }, absent("x"), "", "x"],
    ["the root into a folder", { path: "/", isDirectory: true }, folder("/d"), "/d", "/"],
  ])("%s", (_, source, target, directory, name) => {
    expect(placementOf(source, target)).toEqual({ directory, name });
  });

  test.each([
    ["a folder onto a file", FOLDER, file("/d/x"), "cannot copy directory"],
    ["a folder's content onto a file", CONTENT, file("/d/x"), "cannot copy directory"],
    ["a file to nothing, with a slash", FILE, absent("/d/x/"), "no such directory"],
    ["a file to nothing, with a dot", FILE, absent("/d/x/."), "no such directory"],
  ])("%s is refused", (_, source, target, reason) => {
    expect(() => placementOf(source, target)).toThrow(reason);
  });

  test.each([
    ["/s/link", "/t/file", "/t/file", "link"],
    ["/s/link/", "/t/dir", "/t/dir/", "link"],
    ["/s/link/.", "/t/dir", "/t/dir/.", undefined],
    ["/s/same", "/t/same", "/t/same", undefined],
  ])("%s that leads to %s", (path, resolved, end, rename) => {
    expect(throughLink(path, resolved)).toEqual(rename === undefined ? { path: end } : { path: end, rename });
  });

  test.each([
    ["c:/x", "y", { container: "c", inside: "/x", outside: "y", isInward: false }],
    ["y", "c:x", { container: "c", inside: "x", outside: "y", isInward: true }],
    ["/a:b", "c:/x", { container: "c", inside: "/x", outside: "/a:b", isInward: true }],
    ["./a:b", "c:/x", { container: "c", inside: "/x", outside: "./a:b", isInward: true }],
    ["-", "c:/x:y", { container: "c", inside: "/x:y", outside: "-", isInward: true }],
  ])("%s to %s", (source, target, expected) => {
    expect(directionOf(source, target)).toEqual(expected);
  });
});
