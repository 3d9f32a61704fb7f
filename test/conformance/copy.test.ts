import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { copyTree, measureTree } from "#archive";
import { AT_FDCWD, getAttribute, makeNodeAt, mount, setAttribute, unmount } from "#host";
import { scratch } from "../fakes/scratch.ts";

const isRoot = process.getuid?.() === 0;
const title = isRoot ? "a copied tree" : "a copied tree (skipped: needs root)";
const text = (path: string) => readFileSync(path, "utf8");

async function pair() {
  const place = await scratch();
  const [from, to] = [`${place.path}/from`, `${place.path}/to`];
  mkdirSync(from);
  mkdirSync(to);
  return { from, to, place, [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() };
}

describe.skipIf(!isRoot)(title, () => {
  test("has the content, owners, modes, times and attributes of the original", async () => {
    await using trees = await pair();
    const { from, to } = trees;
    mkdirSync(`${from}/sub`);
    writeFileSync(`${from}/sub/file`, "content");
    chownSync(`${from}/sub/file`, 1001, 1002);
    chmodSync(`${from}/sub/file`, 0o4750);
    setAttribute(`${from}/sub/file`, "user.note", Buffer.from("kept"));
    utimesSync(`${from}/sub/file`, 1_000_000, 2_000_000.5);
    chmodSync(`${from}/sub`, 0o1711);
    utimesSync(`${from}/sub`, 3, 4);
    chownSync(from, 7, 8);
    chmodSync(from, 0o2770);
    await copyTree({ from, to, style: "new" });
    expect(text(`${to}/sub/file`)).toBe("content");
    expect(lstatSync(`${to}/sub/file`)).toMatchObject({
      uid: 1001,
      gid: 1002,
      mode: 0o104750,
      mtimeMs: 2_000_000_500,
    });
    expect(Buffer.from(getAttribute(`${to}/sub/file`, "user.note") ?? []).toString()).toBe("kept");
    expect(lstatSync(`${to}/sub`)).toMatchObject({ mode: 0o41711, mtimeMs: 4000 });
    expect(lstatSync(to)).toMatchObject({ uid: 7, gid: 8, mode: 0o42770 });
  });

  test("keeps links, hard links, devices, pipes and holes", async () => {
    await using trees = await pair();
    const { from, to } = trees;
    mkdirSync(`${from}/d`);
    writeFileSync(`${from}/d/one`, "1");
    linkSync(`${from}/d/one`, `${from}/two`);
    symlinkSync("/etc/passwd", `${from}/link`);
    makeNodeAt(AT_FDCWD, `${from}/null`, 0o020666, (1 << 8) | 3);
    makeNodeAt(AT_FDCWD, `${from}/pipe`, 0o010600, 0);
    writeFileSync(`${from}/sparse`, "");
    truncateSync(`${from}/sparse`, 100 * 1024 * 1024);
    await copyTree({ from, to, style: "new" });
    expect(lstatSync(`${to}/two`).ino).toBe(lstatSync(`${to}/d/one`).ino);
    expect(readlinkSync(`${to}/link`)).toBe("/etc/passwd");
    expect(lstatSync(`${to}/null`)).toMatchObject({ rdev: 259 });
    expect(lstatSync(`${to}/pipe`).isFIFO()).toBe(true);
    expect(lstatSync(`${to}/sparse`)).toMatchObject({ size: 100 * 1024 * 1024 });
    expect(lstatSync(`${to}/sparse`).blocks).toBeLessThan(100);
  });

  test("that is merged leaves what is there, and adds what is not", async () => {
    await using trees = await pair();
    const { from, to } = trees;
    mkdirSync(`${from}/d`);
    writeFileSync(`${from}/d/mine`, "image");
    writeFileSync(`${from}/d/other`, "image");
    mkdirSync(`${to}/d`);
    writeFileSync(`${to}/d/mine`, "user");
    await copyTree({ from, to, style: "merge" });
    expect([text(`${to}/d/mine`), text(`${to}/d/other`)]).toEqual(["user", "image"]);
    expect(copyTree({ from, to, style: "new" })).rejects.toThrow("EEXIST");
  });

  test("does not go where a link in the target leads", async () => {
    await using trees = await pair();
    const { from, to, place } = trees;
    mkdirSync(`${from}/d`);
    writeFileSync(`${from}/d/file`, "x");
    mkdirSync(`${place.path}/outside`);
    symlinkSync(`${place.path}/outside`, `${to}/d`);
    await expect(copyTree({ from, to, style: "merge" })).rejects.toThrow("Cannot open d");
    expect(readdirSync(`${place.path}/outside`)).toEqual([]);
  });

  test("comes whole from another file system", async () => {
    await using trees = await pair();
    mount({ type: "tmpfs", source: "tmpfs", target: trees.from, flags: 0, options: [] });
    try {
      const data = Buffer.alloc(3 * 1024 * 1024 + 5, "bunker");
      writeFileSync(`${trees.from}/file`, data);
      await copyTree({ from: trees.from, to: trees.to, style: "merge" });
      expect(readFileSync(`${trees.to}/file`).equals(data)).toBe(true);
    } finally {
      unmount(trees.from);
    }
  });

  test("is measured by its files, each once", async () => {
    await using trees = await pair();
    mkdirSync(`${trees.from}/d`);
    writeFileSync(`${trees.from}/d/one`, "12345");
    linkSync(`${trees.from}/d/one`, `${trees.from}/two`);
    writeFileSync(`${trees.from}/three`, "678");
    expect(await measureTree(trees.from)).toBe(8);
  });
});
