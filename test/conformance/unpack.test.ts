import { describe, expect, test } from "bun:test";
import { lstatSync, statfsSync } from "node:fs";
import { lstat, mkdir, open, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type PackStyle, pack, type Unpacked, Unpackers, unpack, type WhiteoutStyle } from "#archive";
import { getAttribute, listAttributes, mount, unmount } from "#host";
import { sha256 } from "#oci";
import { scratch } from "../fakes/scratch.ts";
import { inPieces, type TarMember, tarOf } from "../fakes/tar.ts";

const isRoot = process.getuid?.() === 0;
const title = isRoot ? "unpack" : "unpack (skipped: needs root)";

describe.skipIf(!isRoot)(title, () => {
  test.each([
    ["as it is", (tar: Buffer) => tar],
    ["with gzip", (tar: Buffer) => gzipSync(tar)],
    [
      "with gzip in two members",
      (tar: Buffer) => Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
    ],
    ["with zstd", (tar: Buffer) => zstdCompressSync(tar)],
  ])("an archive %s is applied and digested", async (_how, compress) => {
    await using place = await scratch();
    const tar = tarOf([{ path: "a/b", data: "hello" }]);
    const result = await into(place.path, compress(tar));
    expect(result).toEqual({ diffId: sha256(tar), expanded: tar.length, bytes: 5, entries: 1 });
    expect(await readFile(`${place.path}/a/b`, "utf8")).toBe("hello");
  });

  test.each<[string, readonly TarMember[]]>([
    ["a name that climbs", [{ path: "../canary", data: "x" }]],
    ["a name that climbs later", [{ path: "a/../../canary", data: "x" }]],
    ["a hard link that climbs", [{ path: "link", type: "hardlink", target: "../canary" }]],
    ["a hard link to nothing", [{ path: "link", type: "hardlink", target: "nothing" }]],
    [
      "a hard link through a link that leads out",
      [
        { path: "out", type: "symlink", target: ".." },
        { path: "link", type: "hardlink", target: "out/canary" },
      ],
    ],
    [
      "a symlink parent that leads out",
      [
        { path: "out", type: "symlink", target: "../../../../../../../../nowhere-at-all" },
        { path: "out/canary", data: "x" },
      ],
    ],
    ["a name with a NUL", [{ path: `nul\0${"x".repeat(100)}`, data: "x" }]],
    ["a 0:0 device", [{ path: "hide", type: "character", major: 0, minor: 0 }]],
    ["a whiteout of the parent", [{ path: ".wh..." }]],
    ["a whiteout of itself", [{ path: ".wh.." }]],
    ["a whiteout of nothing", [{ path: "a/.wh." }]],
    ["a root that is a file", [{ path: ".", data: "x" }]],
    ["a file larger than every disk", [{ path: "s", size: 2 ** 45, segments: [{ offset: 0, data: "x" }] }]],
  ])("%s ends it, and nothing outside is touched", async (_what, members) => {
    await using place = await scratch();
    const { inner, before } = await canary(place.path);
    await expect(into(inner, tarOf(members))).rejects.toMatchObject({ kind: "invalid" });
    await into(inner, tarOf(members)).catch(() => {});
    expect(await look(place.path)).toEqual(before);
  });

  test.each<[string, WhiteoutStyle, readonly TarMember[]]>([
    [
      "files through absolute links",
      "overlay",
      [
        { path: "etc", type: "symlink", target: "/" },
        { path: "etc/canary", data: "x" },
      ],
    ],
    [
      "whiteouts through links",
      "delete",
      [{ path: "out", type: "symlink", target: "../.." }, { path: "out/.wh.canary" }],
    ],
    [
      "opaque marks through links",
      "delete",
      [{ path: "out", type: "symlink", target: "../.." }, { path: "out/.wh..wh..opq" }],
    ],
    [
      "directories over links",
      "overlay",
      [
        { path: "out", type: "symlink", target: ".." },
        { path: "out", type: "directory", mode: 0o777 },
      ],
    ],
  ])("%s stay inside", async (_what, whiteouts, members) => {
    await using place = await scratch();
    const { inner, before } = await canary(place.path);
    await into(inner, tarOf(members), whiteouts).catch(() => {});
    expect(await look(place.path)).toEqual(before);
  });

  test("a link that was there before is replaced, not followed", async () => {
    await using place = await scratch();
    const { inner } = await canary(place.path);
    await symlink("../canary", `${inner}/file`);
    await into(inner, tarOf([{ path: "file", data: "new" }]), "delete");
    expect((await lstat(`${inner}/file`)).isFile()).toBe(true);
    expect(await readFile(`${place.path}/canary`, "utf8")).toBe("unharmed");
  });

  test("attributes that would steer overlayfs or the host's policy are dropped", async () => {
    await using place = await scratch();
    const attributes = {
      "trusted.overlay.opaque": "y",
      "trusted.overlay.redirect": "/etc",
      "user.overlay.opaque": "y",
      "security.selinux": "x",
      "user.kept": "1",
    };
    await into(place.path, tarOf([{ path: "d/", type: "directory", attributes }]));
    expect(listAttributes(`${place.path}/d`)).toEqual(["user.kept"]);
  });

  test("whiteouts become what overlayfs understands", async () => {
    await using place = await scratch();
    await into(
      place.path,
      tarOf([{ path: "d/.wh.gone" }, { path: "o/.wh..wh..opq" }, { path: ".wh..wh.plnk/1" }]),
    );
    const { mode, rdev } = lstatSync(`${place.path}/d/gone`);
    expect([mode & 0o170000, rdev]).toEqual([0o020000, 0]);
    expect(Buffer.from(getAttribute(`${place.path}/o`, "trusted.overlay.opaque") ?? []).toString()).toBe("y");
  });

  test("a whiteout and the same name in one archive: what the archive brings stays", async () => {
    await using place = await scratch();
    await into(
      place.path,
      tarOf([{ path: "a", data: "1" }, { path: ".wh.a" }, { path: ".wh.b" }, { path: "b", data: "2" }]),
    );
    expect(await readFile(`${place.path}/a`, "utf8")).toBe("1");
    expect(await readFile(`${place.path}/b`, "utf8")).toBe("2");
  });

  test("a later entry of the same name wins, and directories keep their times", async () => {
    await using place = await scratch();
    const modified = { seconds: 1_000_000_000, nanoseconds: 5 };
    await into(
      place.path,
      tarOf([
        { path: "d/", type: "directory", modified },
        { path: "d/x", type: "directory" },
        { path: "d/x/y", data: "1" },
        { path: "d/x", data: "2", modified },
      ]),
    );
    expect(await readFile(`${place.path}/d/x`, "utf8")).toBe("2");
    expect(lstatSync(`${place.path}/d`, { bigint: true }).mtimeNs).toBe(1_000_000_000_000_000_005n);
    expect(lstatSync(`${place.path}/d/x`, { bigint: true }).mtimeNs).toBe(1_000_000_000_000_000_005n);
  });

  test("set-group directories do not lend their group to what has another", async () => {
    await using place = await scratch();
    await into(
      place.path,
      tarOf([
        { path: "d/", type: "directory", mode: 0o2775, gid: 42 },
        { path: "d/f", data: "1" },
      ]),
    );
    expect(lstatSync(`${place.path}/d/f`).gid).toBe(0);
  });

  test("a sparse file of 8 TiB takes no time and no space", async () => {
    await using place = await scratch();
    await into(place.path, tarOf([{ path: "s", size: 2 ** 43, segments: [{ offset: 0, data: "x" }] }]));
    const { size, blocks } = lstatSync(`${place.path}/s`);
    expect([size, blocks < 100]).toEqual([2 ** 43, true]);
  });

  test.each([
    ["cut", (gz: Buffer) => gz.subarray(0, gz.length - 20)],
    ["garbled", (gz: Buffer) => Buffer.concat([gz.subarray(0, 100), Buffer.alloc(50, 7), gz.subarray(150)])],
    ["bzip2", () => Buffer.from("BZh91AY&SY-------")],
  ])("compression that is %s is said", async (_what, damage) => {
    await using place = await scratch();
    const random = crypto.getRandomValues(new Uint8Array(5000));
    const damaged = damage(gzipSync(tarOf([{ path: "a", data: random }])));
    const failure = await into(place.path, damaged).catch((thrown) => thrown);
    expect(["invalid", "unsupported"]).toContain(failure.kind);
    expect(failure.message).toStartWith("Cannot unpack the archive");
  });

  test.each<[string, string, () => TarMember[]]>([
    ["bytes", "size=150m", () => [{ path: "zeros", data: new Uint8Array(200 * 1024 * 1024) }]],
    [
      "files",
      "size=50m,nr_inodes=20000",
      () => Array.from({ length: 20_000 }, (_, at) => ({ path: `f${at}` })),
    ],
  ])("an archive of too many %s is stopped before the disk is full", async (_what, options, members) => {
    await using place = await scratch();
    mount({ type: "tmpfs", source: "tmpfs", target: place.path, flags: 0, options: [options] });
    using _mounted = { [Symbol.dispose]: () => unmount(place.path) };
    await expect(into(place.path, gzipSync(tarOf(members())))).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("no space left on device"),
    });
    const { blocks, bavail, files, ffree } = statfsSync(place.path);
    expect([bavail / blocks > 0.03, ffree / files > 0.03]).toEqual([true, true]);
  });

  test("a sender that fails ends it with the sender's own error", async () => {
    await using place = await scratch();
    const bytes = (async function* () {
      yield tarOf([{ path: "a", data: "1" }]).subarray(0, 100);
      throw new Error("line dropped");
    })();
    const unpacking = unpack({
      directory: place.path,
      whiteouts: "overlay",
      bytes,
    });
    await expect(unpacking).rejects.toThrow("line dropped");
  });

  test("an abort kills the child", async () => {
    await using place = await scratch();
    const abort = new AbortController();
    const bytes = (async function* () {
      yield tarOf([{ path: "a", data: "1" }]).subarray(0, 100);
      abort.abort(new Error("enough"));
      await new Promise(() => {});
    })();
    const { signal } = abort;
    const unpacking = unpack({
      directory: place.path,
      whiteouts: "overlay",
      bytes,
      signal,
    });
    await expect(unpacking).rejects.toThrow("enough");
  });
});

describe.skipIf(!isRoot)(`unpackers${isRoot ? "" : " (skipped: needs root)"}`, () => {
  test("files come one after the other through one process, each into a root of its own", async () => {
    await using place = await scratch();
    await using unpackers = new Unpackers();
    const pids = new Set<number>();
    for (const name of ["first", "second"]) {
      await mkdir(`${place.path}/${name}`);
      const members: readonly TarMember[] = [
        { path: "out", type: "symlink", target: "/" },
        { path: `out/${name}.txt`, data: name },
      ];
      const { bytes } = await fromFile(unpackers, `${place.path}/${name}`, gzipSync(tarOf(members)));
      expect(bytes).toBe(name.length);
      expect(await readFile(`${place.path}/${name}/${name}.txt`, "utf8")).toBe(name);
      for (const pid of await unpackerPids()) pids.add(pid);
    }
    expect(pids.size).toBe(1);
  });

  test("one that failed is not used again", async () => {
    await using place = await scratch();
    await using unpackers = new Unpackers();
    const damaged = gzipSync(tarOf([{ path: "a", data: "1" }])).fill(0, 20, 40);
    await mkdir(`${place.path}/a`);
    await expect(fromFile(unpackers, `${place.path}/a`, damaged)).rejects.toMatchObject({ kind: "invalid" });
    expect(await unpackerPids()).toEqual([]);
    await mkdir(`${place.path}/b`);
    await fromFile(unpackers, `${place.path}/b`, tarOf([{ path: "b", data: "2" }]));
    expect(await readFile(`${place.path}/b/b`, "utf8")).toBe("2");
  });

  test("an abort ends it, and a file that never becomes whole", async () => {
    await using place = await scratch();
    await using unpackers = new Unpackers();
    const abort = new AbortController();
    await using file = await open(`${place.path}/tar`, "w+");
    const growth = (async function* () {
      yield 0;
      abort.abort(new Error("enough"));
      await new Promise(() => {});
    })();
    const { signal } = abort;
    const request = { directory: place.path, whiteouts: "overlay", signal } as const;
    const unpacking = unpackers.unpack({ ...request, file: { descriptor: file.fd, growth } });
    await expect(unpacking).rejects.toThrow("enough");
    expect(await unpackerPids()).toEqual([]);
  });
});

/** Through an open file that has no name any more. */
async function fromFile(unpackers: Unpackers, directory: string, archive: Uint8Array): Promise<Unpacked> {
  const path = `${directory}.tar`;
  await writeFile(path, archive);
  await using file = await open(path, "r");
  await rm(path);
  const growth = (async function* () {
    yield Math.floor(archive.length / 2);
    yield archive.length;
  })();
  return await unpackers.unpack({ directory, whiteouts: "overlay", file: { descriptor: file.fd, growth } });
}

async function unpackerPids(): Promise<readonly number[]> {
  const children = await readFile(`/proc/self/task/${process.pid}/children`, "utf8");
  const found: number[] = [];
  for (const pid of children.split(" ").filter((one) => one !== "")) {
    const words = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (words.includes("unpack-files")) found.push(Number(pid));
  }
  return found;
}

describe.skipIf(!isRoot)(`pack${isRoot ? "" : " (skipped: needs root)"}`, () => {
  test("what is packed and unpacked again is the same tree, to the byte of a second archive", async () => {
    await using place = await scratch();
    for (const name of ["from", "to"]) await mkdir(`${place.path}/${name}`);
    const modified = { seconds: 1_234_567_890, nanoseconds: 123_456_789 };
    const attributes = {
      "user.note": "hi",
      "security.capability": Buffer.from("0100000200040000000000000000000000000000", "hex"),
    };
    const members: TarMember[] = [
      { path: "d/", type: "directory", mode: 0o1751, uid: 7, gid: 70_000, modified },
      { path: "d/a", data: "x".repeat(1_500_000), mode: 0o4711, uid: 3_000_000, modified, attributes },
      { path: "d/b", type: "hardlink", target: "d/a" },
      { path: "d/dev", type: "block", major: 259, minor: 70_000, modified },
      { path: "d/holes", size: 50_000_000, segments: [{ offset: 40_000_000, data: "end" }], modified },
      { path: `d/${"ü".repeat(100)}`, type: "symlink", target: "../..", modified },
    ];
    await into(`${place.path}/from`, tarOf(members));
    const first = await packed(`${place.path}/from`, "plain");
    await into(`${place.path}/to`, first);
    expect(sha256(await packed(`${place.path}/to`, "plain"))).toBe(sha256(first));
    expect(first.length).toBeLessThan(2_000_000);
    expect(lstatSync(`${place.path}/to/d/dev`).rdev).toBe(lstatSync(`${place.path}/from/d/dev`).rdev);
    expect(lstatSync(`${place.path}/to/d/b`).nlink).toBe(2);
  });

  test("an overlay's marks become whiteouts again", async () => {
    await using place = await scratch();
    for (const name of ["from", "to"]) await mkdir(`${place.path}/${name}`);
    await into(
      `${place.path}/from`,
      tarOf([{ path: "d/.wh.gone" }, { path: "o/.wh..wh..opq" }, { path: "o/x", data: "1" }]),
    );
    await into(`${place.path}/to`, await packed(`${place.path}/from`, "overlay"));
    expect(lstatSync(`${place.path}/to/d/gone`).isCharacterDevice()).toBe(true);
    expect(getAttribute(`${place.path}/to/o`, "trusted.overlay.opaque")).toBeDefined();
  });

  test("a directory that is not there is said", async () => {
    await expect(packed("/nowhere/at/all", "plain")).rejects.toThrow("ENOENT");
  });
});

async function packed(directory: string, style: PackStyle): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of pack({ directory, style })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function into(
  directory: string,
  archive: Uint8Array,
  whiteouts: WhiteoutStyle = "overlay",
): Promise<Unpacked> {
  return unpack({ directory, whiteouts, bytes: inPieces(archive, 300) });
}

/** A directory to unpack into, with something beside it that must stay as it is. */
async function canary(root: string): Promise<{ readonly inner: string; readonly before: unknown }> {
  await writeFile(`${root}/canary`, "unharmed");
  await mkdir(`${root}/inner`);
  return { inner: `${root}/inner`, before: await look(root) };
}

async function look(root: string): Promise<unknown> {
  const { mode, nlink, mtimeMs } = lstatSync(`${root}/canary`);
  return [
    await readdir(root),
    await readFile(`${root}/canary`, "utf8"),
    mode,
    nlink,
    mtimeMs,
    lstatSync(root).mode,
  ];
}
