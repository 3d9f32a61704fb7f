import { describe, expect, test } from "bun:test";
import { constants, existsSync, lstatSync, readdirSync, readlinkSync } from "node:fs";
import {
  chmod,
  link,
  mkdir,
  open as openFile,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { Unpackers, unpack } from "#archive";
import type { GraphDriver, GraphDriverKind, LayerId } from "#graph";
import { getAttribute, mountsBelow } from "#host";
import { type Digest, sha256 } from "#oci";
import { scratch } from "../fakes/scratch.ts";
import { inPieces, type TarMember, tarOf } from "../fakes/tar.ts";

const BASE = "sha256:base" as LayerId;
const NEXT = "sha256:next" as LayerId;
const BOX = "box" as LayerId;

/** Where the layers are, if not where temporary files are. */
export interface Disk {
  readonly path: string;
  /** What is told of it in the tests' names. */
  readonly what: string;
}

interface PlacedKind extends GraphDriverKind {
  readonly disk?: string;
}

/** What every graph driver promises; run against each of them. */
export async function graphDriverConformance(kind: GraphDriverKind, disk?: Disk): Promise<void> {
  await using probe = await scratch(disk?.path);
  const verdict =
    process.getuid?.() === 0 ? await kind.probe(probe.path) : { usable: false, reason: "needs root" };
  const title = verdict.usable
    ? `${kind.name}${disk === undefined ? "" : ` on ${disk.what}`}`
    : `${kind.name} (skipped: ${"reason" in verdict ? verdict.reason : ""})`;
  const placed: PlacedKind = disk === undefined ? kind : { ...kind, disk: disk.path };
  describe.skipIf(!verdict.usable)(`graph driver ${title}`, () => {
    layersOf(placed);
    contentsOf(placed);
    changesOf(placed);
    crashesOf(placed);
    limitsOf(placed);
  });
}

function layersOf(kind: PlacedKind): void {
  test("a layer starts with everything its parent holds", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [{ path: "motd", data: "hello" }]);
    await scene.driver.create(BOX, { parent: BASE, writable: true });
    await using box = await scene.driver.mount(BOX);
    expect(await readFile(`${box.path}/motd`, "utf8")).toBe("hello");
  });

  test("what is written to a layer does not show in its parent", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [{ path: "motd", data: "hello" }]);
    await scene.driver.create(BOX, { parent: BASE, writable: true });
    await using box = await scene.driver.mount(BOX);
    await writeFile(`${box.path}/motd`, "changed");
    await using base = await scene.driver.mount(BASE);
    expect(await readFile(`${base.path}/motd`, "utf8")).toBe("hello");
  });

  test("mounts of one layer are counted, and nothing stays mounted", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [{ path: "motd", data: "hello" }]);
    const first = await scene.driver.mount(BASE);
    const second = await scene.driver.mount(BASE);
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    expect(await readFile(`${second.path}/motd`, "utf8")).toBe("hello");
    await second[Symbol.asyncDispose]();
    expect(mountsBelow(scene.root)).not.toContain(second.path);
    await scene.driver[Symbol.asyncDispose]();
    expect(mountsBelow(scene.root)).toEqual([]);
  });

  test("128 layers can be stacked", async () => {
    await using scene = await open(kind);
    let parent: LayerId | undefined;
    for (let number = 0; number < 128; number++) {
      const layer = `sha256:${number}` as LayerId;
      await scene.driver.create(layer, parent === undefined ? {} : { parent });
      parent = layer;
      if (number === 0) await fill(scene.driver, BASE, [{ path: "bottom", data: "yes" }]);
      if (number === 0) parent = BASE;
    }
    await scene.driver.create(BOX, { parent: parent ?? BASE, writable: true });
    await using box = await scene.driver.mount(BOX);
    expect(await readFile(`${box.path}/bottom`, "utf8")).toBe("yes");
  });

  test("a removed layer is gone and its name is free", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [{ path: "motd", data: "hello" }]);
    await scene.driver.create(BOX, { parent: BASE, writable: true });
    await scene.driver.remove(BOX);
    expect(await scene.driver.has(BOX)).toBe(false);
    await scene.driver.create(BOX, { parent: BASE, writable: true });
    expect([...(await scene.driver.list())].sort()).toEqual([BOX, BASE]);
    await scene.driver.remove("never-made" as LayerId);
  });

  test("a layer that exists is not made again", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, []);
    await expect(fill(scene.driver, BASE, [])).rejects.toMatchObject({ kind: "conflict" });
    await scene.driver.create(BOX, { parent: BASE, writable: true });
    await expect(scene.driver.create(BOX, { parent: BASE, writable: true })).rejects.toMatchObject({
      kind: "conflict",
    });
  });

  test.each(["../out", "a/b", "", "a\0b", "x".repeat(300)])("%p is no layer's id", async (id) => {
    await using scene = await open(kind);
    await expect(scene.driver.create(id as LayerId)).rejects.toMatchObject({ kind: "invalid" });
  });

  test("a missing parent is said", async () => {
    await using scene = await open(kind);
    await expect(scene.driver.create(BOX, { parent: BASE, writable: true })).rejects.toMatchObject({
      kind: "not_found",
    });
    expect(await scene.driver.has(BOX)).toBe(false);
  });

  test("size counts the layer's own bytes", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [{ path: "large", data: "x".repeat(100_000) }]);
    await fill(scene.driver, NEXT, [{ path: "small", data: "x".repeat(5000) }], BASE);
    expect(await scene.driver.size(NEXT)).toBe(5000);
  });
}

function contentsOf(kind: PlacedKind): void {
  test("owners, modes, times, links, devices, attributes and holes are exactly the archive's", async () => {
    await using scene = await open(kind);
    const modified = { seconds: 1_234_567_890, nanoseconds: 123_456_789 };
    const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
    const attributes = { "user.note": "hi", "security.capability": capability };
    await fill(scene.driver, BASE, [
      { path: "d/", type: "directory", mode: 0o1751, uid: 7, gid: 70_000, modified },
      { path: "d/file", data: "abc", mode: 0o4711, uid: 3_000_000, gid: 8, modified, attributes },
      { path: "d/hard", type: "hardlink", target: "d/file" },
      { path: "d/soft", type: "symlink", target: "../../../etc/passwd", uid: 5, gid: 6, modified },
      { path: "d/dev", type: "character", major: 259, minor: 70_000, mode: 0o640, modified },
      { path: "d/disk", type: "block", major: 8, minor: 1, modified },
      { path: "d/pipe", type: "fifo", mode: 0o622, modified },
      { path: "d/holes", size: 50_000_000, segments: [{ offset: 40_000_000, data: "end" }], modified },
      { path: `d/${"ümlaut \u{1f40b} ".repeat(8)}`, data: "x", modified },
    ]);
    await fill(scene.driver, NEXT, [{ path: "other", data: "" }], BASE);
    await using next = await scene.driver.mount(NEXT);
    const look = (path: string) => {
      const { mode, uid, gid, mtimeNs } = lstatSync(`${next.path}/d/${path}`, { bigint: true });
      return [Number(mode).toString(8), Number(uid), Number(gid), mtimeNs];
    };
    const time = 1_234_567_890_123_456_789n;
    expect(look("")).toEqual(["41751", 7, 70_000, time]);
    expect(look("file")).toEqual(["104711", 3_000_000, 8, time]);
    expect(look("soft")).toEqual(["120777", 5, 6, time]);
    expect(look("dev")).toEqual(["20640", 0, 0, time]);
    expect(look("disk")).toEqual(["60644", 0, 0, time]);
    expect(look("pipe")).toEqual(["10622", 0, 0, time]);
    expect(lstatSync(`${next.path}/d/hard`).ino).toBe(lstatSync(`${next.path}/d/file`).ino);
    expect(lstatSync(`${next.path}/d/dev`).rdev).toBe(
      Number((70_000n & 0xffn) | (259n << 8n) | ((70_000n & ~0xffn) << 12n)),
    );
    expect(readlinkSync(`${next.path}/d/soft`)).toBe("../../../etc/passwd");
    expect(getAttribute(`${next.path}/d/file`, "user.note")).toEqual(new Uint8Array(Buffer.from("hi")));
    expect(getAttribute(`${next.path}/d/file`, "security.capability")).toEqual(new Uint8Array(capability));
    const holes = lstatSync(`${next.path}/d/holes`);
    // Holes of an EROFS image cost nothing, but the kernel does not leave them out of what it says a file takes.
    expect([holes.size, holes.blocks < 1000 || kind.name === "erofs"]).toEqual([50_000_000, true]);
    const tail = await Bun.file(`${next.path}/d/holes`).slice(40_000_000, 40_000_003).text();
    expect(tail).toBe("end");
    expect(lstatSync(`${next.path}/d/${"ümlaut \u{1f40b} ".repeat(8)}`).size).toBe(1);
  });

  test("whiteouts and opaque directories hide what lies below", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [
      { path: "keep", data: "1" },
      { path: "gone", data: "1" },
      { path: "tree/deep/file", data: "1" },
      { path: "opaque/old", data: "1" },
      { path: "again/old", data: "1" },
    ]);
    const above: TarMember[] = [
      { path: ".wh.gone" },
      { path: ".wh.tree" },
      { path: "opaque/new", data: "2" },
      { path: "opaque/.wh..wh..opq" },
      { path: ".wh.again" },
      { path: "again/", type: "directory" },
      { path: "again/new", data: "2" },
      { path: ".wh.never-there" },
    ];
    await fill(scene.driver, NEXT, above, BASE);
    await using next = await scene.driver.mount(NEXT);
    expect((await readdir(next.path)).sort()).toEqual(["again", "keep", "opaque"]);
    expect(await readdir(`${next.path}/opaque`)).toEqual(["new"]);
    expect(await readdir(`${next.path}/again`)).toEqual(["new"]);
  });

  test("a writable layer has genuine mount points, whatever the image has there", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [
      { path: "dev", type: "symlink", target: "/etc" },
      { path: "proc", type: "symlink", target: "/" },
      { path: "etc/", type: "directory", mode: 0o775, gid: 12 },
      { path: "etc/hosts", type: "symlink", target: "/canary" },
      { path: "etc/passwd", data: "root" },
    ]);
    await scene.driver.create(BOX, { parent: BASE, writable: true });
    await using box = await scene.driver.mount(BOX);
    for (const path of ["dev", "dev/pts", "dev/shm", "proc", "sys", "etc"])
      expect(lstatSync(`${box.path}/${path}`).isDirectory()).toBe(true);
    for (const path of ["dev/console", "etc/hosts", "etc/hostname", "etc/resolv.conf", ".dockerenv"])
      expect(lstatSync(`${box.path}/${path}`).isFile()).toBe(true);
    expect(readlinkSync(`${box.path}/etc/mtab`)).toBe("/proc/mounts");
    expect(lstatSync(`${box.path}/etc`)).toMatchObject({ mode: constants.S_IFDIR | 0o775, gid: 12 });
    expect(await readFile(`${box.path}/etc/passwd`, "utf8")).toBe("root");
  });
}

function changesOf(kind: PlacedKind): void {
  test("a fresh writable layer has no changes", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [{ path: "etc/passwd", data: "root" }]);
    await scene.driver.create(BOX, { parent: BASE, writable: true });
    await using _box = await scene.driver.mount(BOX);
    expect(await scene.driver.changes(BOX)).toEqual([]);
  });

  test("changes name what was added, modified and deleted, and the directories above", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [
      { path: "etc/passwd", data: "root" },
      { path: "etc/shadow", data: "root" },
      { path: "usr/bin/a", data: "a" },
      { path: "usr/share/doc", data: "a" },
      { path: "var/old/x", data: "a" },
      { path: "untouched/x", data: "a" },
    ]);
    await scene.driver.create(BOX, { parent: BASE, writable: true });
    await using box = await scene.driver.mount(BOX);
    await writeFile(`${box.path}/etc/passwd`, "changed");
    await rm(`${box.path}/etc/shadow`);
    await mkdir(`${box.path}/new/deep`, { recursive: true });
    await writeFile(`${box.path}/new/deep/file`, "");
    await chmod(`${box.path}/usr/bin/a`, 0o700);
    await rm(`${box.path}/usr/share`, { recursive: true });
    await rm(`${box.path}/var/old`, { recursive: true });
    await mkdir(`${box.path}/var/old`);
    await writeFile(`${box.path}/var/old/y`, "");
    await symlink("x", `${box.path}/link`);
    const letters = (await scene.driver.changes(BOX)).map(
      ({ path, kind: change }) => `${"CAD"[change]} ${path}`,
    );
    expect(letters).toEqual([
      "C /etc",
      "C /etc/passwd",
      "D /etc/shadow",
      "A /link",
      "A /new",
      "A /new/deep",
      "A /new/deep/file",
      "C /usr",
      "C /usr/bin",
      "C /usr/bin/a",
      "D /usr/share",
      "C /var",
      "C /var/old",
      "D /var/old/x",
      "A /var/old/y",
    ]);
  });

  test("a layer's difference, upon the same parent, is the same tree", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [
      { path: "etc/passwd", data: "root" },
      { path: "etc/shadow", data: "root" },
      { path: "var/old/x", data: "a" },
      { path: "gone/x", data: "a" },
      { path: "kept/x", data: "a" },
    ]);
    await scene.driver.create(BOX, { parent: BASE, writable: true });
    await using box = await scene.driver.mount(BOX);
    await writeFile(`${box.path}/etc/passwd`, "changed");
    await rm(`${box.path}/etc/shadow`);
    await rm(`${box.path}/gone`, { recursive: true });
    await rm(`${box.path}/var/old`, { recursive: true });
    await mkdir(`${box.path}/var/old`);
    await writeFile(`${box.path}/var/old/y`, "new");
    await mkdir(`${box.path}/new`);
    await writeFile(`${box.path}/new/one`, "1");
    await link(`${box.path}/new/one`, `${box.path}/new/two`);
    await symlink("one", `${box.path}/new/link`);
    await chmod(`${box.path}/new/one`, 0o4711);
    await using aside = await scratch();
    await using file = await openFile(`${aside.path}/diff.tar`, "wx+");
    await using unpackers = new Unpackers();
    const { fd: descriptor } = file;
    const written = scene.driver.diff(BOX, { descriptor, signal: AbortSignal.timeout(60_000) });
    let digest: Digest | undefined;
    const growth = (async function* () {
      digest = yield* written;
    })();
    await using staged = await scene.driver.stage({ parent: BASE }, async (target) => {
      await unpackers.unpack({ ...target, file: { descriptor, growth } });
    });
    expect(digest).toBe(sha256(await file.readFile()));
    expect(await scene.driver.has(NEXT)).toBe(false);
    await staged.publish(NEXT);
    await using next = await scene.driver.mount(NEXT);
    // A writable layer has files of its own in /etc.
    const isImages = (path: string) => !path.startsWith("etc/") || path === "etc/passwd";
    const seen = (root: string) =>
      ["etc", "var/old", "new", "kept"]
        .flatMap((folder) => readdirSync(`${root}/${folder}`).map((name) => `${folder}/${name}`))
        .filter(isImages)
        .sort()
        .map((path) => {
          const { mode, nlink, size, mtimeMs } = lstatSync(`${root}/${path}`);
          return { path, mode, nlink, size, mtimeMs };
        });
    expect(seen(next.path)).toEqual(seen(box.path));
    expect(existsSync(`${next.path}/etc/shadow`)).toBe(false);
    expect(await readFile(`${next.path}/etc/passwd`, "utf8")).toBe("changed");
    expect(readdirSync(next.path)).not.toContain("gone");
  });

  test("a directory of the image can be moved away", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [{ path: "old/x", data: "a" }]);
    await scene.driver.create(BOX, { parent: BASE, writable: true });
    await using box = await scene.driver.mount(BOX);
    await writeFile(`${box.path}/fresh`, "");
    await rename(`${box.path}/fresh`, `${box.path}/moved`);
    expect(await scene.driver.changes(BOX)).toEqual([{ path: "/moved", kind: 1 }]);
  });
}

function crashesOf(kind: PlacedKind): void {
  test("a layer whose filling fails is not there, and leaves nothing", async () => {
    await using scene = await open(kind);
    const failing = scene.driver.fill(BASE, {}, async ({ directory }) => {
      await writeFile(`${directory}/half`, "");
      throw new Error("cut");
    });
    await expect(failing).rejects.toThrow("cut");
    await failing.catch(() => {});
    expect(await scene.driver.has(BASE)).toBe(false);
    expect(await scene.driver.list()).toEqual([]);
    await fill(scene.driver, BASE, []);
    expect(await scene.driver.has(BASE)).toBe(true);
  });

  test("a tree that gets no name leaves nothing, and one that has got it stays", async () => {
    await using scene = await open(kind);
    const bytes = () => inPieces(tarOf([{ path: "motd", data: "hello" }]), 4096);
    const stage = () =>
      scene.driver.stage({}, async (target) => {
        await unpack({ ...target, bytes: bytes() });
      });
    await (await stage())[Symbol.asyncDispose]();
    expect(await scene.driver.list()).toEqual([]);
    const staged = await stage();
    await staged.publish(BASE);
    await staged[Symbol.asyncDispose]();
    await using again = await stage();
    await expect(again.publish(BASE)).rejects.toMatchObject({ kind: "conflict" });
    await using base = await scene.driver.mount(BASE);
    expect(await readFile(`${base.path}/motd`, "utf8")).toBe("hello");
  });

  test("what was being filled when the process died is gone after the next open", async () => {
    await using scene = await open(kind);
    const { promise: forever, resolve } = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<string>();
    const filling = scene.driver.fill(BASE, {}, async ({ directory }) => {
      await writeFile(`${directory}/half`, "");
      begun.resolve(directory);
      await forever;
      throw new Error("died");
    });
    const directory = await begun.promise;
    await (await kind.open(scene.root))[Symbol.asyncDispose]();
    expect(await readFile(`${directory}/half`).catch(() => "gone")).toBe("gone");
    expect(await scene.driver.list()).toEqual([]);
    resolve();
    await filling.catch(() => {});
  });
}

/** Either it bounds what is written, or it says why not and makes nothing. */
function limitsOf(kind: PlacedKind): void {
  const MB = 1024 ** 2;
  const fillUp = async (path: string, megabytes: number) => {
    try {
      await using file = await openFile(path, "w");
      for (let count = 0; count < megabytes; count++) await file.write(new Uint8Array(MB).fill(count));
      await file.sync();
      return "written";
    } catch (thrown) {
      return thrown instanceof Error && "code" in thrown ? thrown.code : thrown;
    }
  };
  const isFull = (outcome: unknown) => outcome === "ENOSPC" || outcome === "EDQUOT";

  test("what is written to a layer is bounded, or refused with the reason", async () => {
    await using scene = await open(kind);
    await fill(scene.driver, BASE, [{ path: "large", data: "x".repeat(5 * MB) }]);
    const limited = { parent: BASE, writable: true, limitBytes: 4 * MB };
    const verdict = await scene.driver.limitable();
    const row = (await scene.driver.status()).find(([title]) => title === "Container Size Limits");
    expect(row?.[1].startsWith(String(verdict.usable))).toBe(true);
    if (!verdict.usable) {
      await expect(scene.driver.create(BOX, limited)).rejects.toMatchObject({ kind: "invalid" });
      expect(await scene.driver.list()).toEqual([BASE]);
      return;
    }
    await scene.driver.create(BOX, limited);
    await scene.driver.create("other" as LayerId, limited);
    await scene.driver.create("free" as LayerId, { parent: BASE, writable: true });
    await using box = await scene.driver.mount(BOX);
    await using other = await scene.driver.mount("other" as LayerId);
    await using free = await scene.driver.mount("free" as LayerId);
    expect(await fillUp(`${box.path}/a`, 6)).toSatisfy(isFull);
    expect(await fillUp(`${box.path}/b`, 4)).toSatisfy(isFull);
    expect(await fillUp(`${other.path}/a`, 3)).toBe("written");
    expect(await fillUp(`${other.path}/large`, 4)).toSatisfy(isFull);
    expect(await fillUp(`${free.path}/a`, 6)).toBe("written");
    expect(await scene.driver.size(BOX)).toBeLessThanOrEqual(4 * MB);
  });

  test("a layer that is full is mounted again to be written to", async () => {
    await using scene = await open(kind);
    if (!(await scene.driver.limitable()).usable) return;
    await scene.driver.create(BOX, { writable: true, limitBytes: 4 * MB });
    {
      await using box = await scene.driver.mount(BOX);
      expect(await fillUp(`${box.path}/a`, 6)).toSatisfy(isFull);
    }
    await using box = await scene.driver.mount(BOX);
    expect(await fillUp(`${box.path}/b`, 4)).toSatisfy(isFull);
    await rm(`${box.path}/a`);
    expect(await fillUp(`${box.path}/c`, 2)).toBe("written");
  });

  test("a limit goes with its layer, and stays when the process dies", async () => {
    await using scene = await open(kind);
    if (!(await scene.driver.limitable()).usable) return;
    await scene.driver.create(BOX, { writable: true, limitBytes: 2 * MB });
    await using again = await kind.open(scene.root);
    {
      await using box = await again.mount(BOX);
      expect(await fillUp(`${box.path}/a`, 4)).toSatisfy(isFull);
    }
    await again.remove(BOX);
    await again.create(BOX, { writable: true });
    await using box = await again.mount(BOX);
    expect(await fillUp(`${box.path}/a`, 4)).toBe("written");
  });
}

interface Scene extends AsyncDisposable {
  readonly root: string;
  readonly driver: GraphDriver;
}

async function open(kind: PlacedKind): Promise<Scene> {
  await using undo = new AsyncDisposableStack();
  const root = undo.use(await scratch(kind.disk));
  const driver = undo.use(await kind.open(root.path));
  const owned = undo.move();
  return { root: root.path, driver, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

async function fill(
  driver: GraphDriver,
  layer: LayerId,
  members: readonly TarMember[],
  parent?: LayerId,
): Promise<void> {
  await driver.fill(layer, parent === undefined ? {} : { parent }, async (target) => {
    await unpack({ ...target, bytes: inPieces(tarOf(members), 4096) });
  });
}
