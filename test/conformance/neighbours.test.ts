import { describe, expect, test } from "bun:test";
import { chmod, chown, mkdir, readdir, stat, symlink } from "node:fs/promises";
import { type Digest, sha256 } from "#oci";
import { Content } from "../../src/graph/content.ts";
import { takeOver } from "../../src/graph/neighbours.ts";
import { scratch } from "../fakes/scratch.ts";

const isRoot = process.getuid?.() === 0;
const TEXT = "a layer of somebody else's";
const DIGEST = sha256(TEXT);
const signal = new AbortController().signal;

/** A store beside another one that has a file where the blob would be. */
async function neighbourly(file: (path: string) => Promise<unknown>) {
  const root = await scratch();
  const theirs = `${root.path}/registry/blobs`;
  await mkdir(`${theirs}/sha256`, { recursive: true });
  const path = `${theirs}/sha256/${DIGEST.slice(7)}`;
  await file(path);
  const content = await Content.open(`${root.path}/content`, [`${root.path}/none`, theirs]);
  return {
    path,
    content,
    take: (size = TEXT.length) => takeOver(content, { digest: DIGEST, size, signal }),
    left: () => readdir(`${root.path}/content/partial`),
    [Symbol.asyncDispose]: () => root[Symbol.asyncDispose](),
  };
}

const write = (path: string) => Bun.write(path, TEXT).then(() => chmod(path, 0o600));

describe.skipIf(!isRoot)(`a blob of a neighbour${isRoot ? "" : " (skipped: needs root)"}`, () => {
  test("becomes ours without being copied", async () => {
    await using house = await neighbourly(write);
    expect(await house.take()).toBe(true);
    expect((await stat(house.content.path(DIGEST))).ino).toBe((await stat(house.path)).ino);
    expect(await house.left()).toEqual([]);
  });

  test.each([
    ["another content", (path: string) => Bun.write(path, TEXT.toUpperCase()).then(() => chmod(path, 0o600))],
    ["another size", (path: string) => Bun.write(path, `${TEXT} `).then(() => chmod(path, 0o600))],
    ["a link to it", (path: string) => write(`${path}.real`).then(() => symlink(`${path}.real`, path))],
    ["a pipe", async (path: string) => Bun.spawnSync(["mkfifo", "-m", "600", path])],
    ["a folder", (path: string) => mkdir(path)],
    ["what others may write", (path: string) => write(path).then(() => chmod(path, 0o620))],
    ["what somebody else owns", (path: string) => write(path).then(() => chown(path, 65_534, 0))],
    ["nothing", async () => undefined],
  ])("is not taken over when it is %s", async (_, file) => {
    await using house = await neighbourly(file);
    expect(await house.take()).toBe(false);
    expect(await house.content.has(DIGEST as Digest)).toBe(false);
    expect(await house.left()).toEqual([]);
  });
});
