import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, constants, openSync } from "node:fs";
import { link, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { measureTree } from "#archive";
import { makeDirectoryAt, must, openAt } from "#host";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bunker-measure-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Directories below each other, more than one path can name. */
function digDeep(top: string, levels: number): void {
  const name = Buffer.from("directory\0");
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  let here = openSync(top, flags);
  for (let level = 0; level < levels; level += 1) {
    must(makeDirectoryAt(here, name, 0o700), "make a directory");
    const next = must(openAt(here, name, flags), "open a directory");
    closeSync(here);
    here = next;
  }
  closeSync(here);
}

test("each file counts once, a link as long as its text, and a tree too deep for a path is no hindrance", async () => {
  await writeFile(join(folder, "a"), "12345");
  await link(join(folder, "a"), join(folder, "b"));
  await symlink("/etc", join(folder, "c"));
  digDeep(folder, 500);
  await writeFile(join(folder, "directory/d"), "1234567");
  expect(await measureTree(folder)).toBe(16);
});
