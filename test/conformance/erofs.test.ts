import { describe, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { EROFS_IMAGE, type Unpacked, type UnpackStyle, unpack } from "#archive";
import { attachLoop, getAttribute, listAttributes, MS_RDONLY, mount, unmount } from "#host";
import { scratch } from "../fakes/scratch.ts";
import { inPieces, type TarMember, tarOf } from "../fakes/tar.ts";
import { run } from "../fixtures/daemon.ts";
import { requirePackages } from "../fixtures/packages.ts";

const isRoot = process.getuid?.() === 0;
const canMount = isRoot && readFileSync("/proc/filesystems", "utf8").includes("\terofs\n");
const why = isRoot ? "this kernel has no EROFS" : "needs root";
if (canMount) await requirePackages(["erofs-utils"]);

const modified = { seconds: 1_234_567_890, nanoseconds: 123_456_789 };
const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
const noise = (length: number) => crypto.getRandomValues(new Uint8Array(length));

/** Archives whose tree overlay's unpacker and the image must agree on. */
const ARCHIVES: Readonly<Record<string, readonly TarMember[]>> = {
  nothing: [],
  "a root with a look of its own": [
    { path: "./", type: "directory", mode: 0o1777, uid: 3, gid: 4, modified },
  ],
  "files of every length around a block": [0, 1, 511, 4095, 4096, 4097, 8192, 12_345, 1_500_000].map(
    (length) => ({
      path: `f${length}`,
      data: noise(length),
      modified,
    }),
  ),
  "every kind of entry": [
    { path: "d/", type: "directory", mode: 0o2751, uid: 7, gid: 70_000, modified },
    { path: "d/file", data: "abc", mode: 0o4711, uid: 3_000_000, gid: 8, modified },
    { path: "d/hard", type: "hardlink", target: "d/file" },
    { path: "d/soft", type: "symlink", target: "../../../etc/passwd", uid: 5, gid: 6, modified },
    { path: "d/long", type: "symlink", target: "x".repeat(4095), modified },
    { path: "d/dev", type: "character", major: 259, minor: 70_000, mode: 0o640, modified },
    { path: "d/disk", type: "block", major: 8, minor: 1, modified },
    { path: "d/pipe", type: "fifo", mode: 0o622, modified },
    { path: "old", data: "1", modified: { seconds: -5, nanoseconds: 1 } },
  ],
  attributes: [
    { path: "f", data: "x", attributes: { "user.note": "hi", "security.capability": capability }, modified },
    { path: "large", data: "x", attributes: { "user.large": noise(3000) }, modified },
    { path: "d/", type: "directory", attributes: { "trusted.secret": "1", "user.a": "" }, modified },
    { path: "d/", type: "directory", attributes: { "user.b": "2" }, modified },
    { path: "steered", type: "directory", attributes: { "trusted.overlay.opaque": "y" }, modified },
  ],
  "names of every kind": ["ü".repeat(127), "x".repeat(255), "a b\nc", "!", "-", "\u{1f40b}", "..x", ".x"].map(
    (name) => ({
      path: `d/${name}`,
      data: name,
      modified,
    }),
  ),
  "a large directory": Array.from({ length: 1500 }, (_, at) => ({
    path: `d/${String((at * 7919) % 1500).padStart(at % 200, "n")}-${at}`,
    data: at % 3 === 0 ? "" : `${at}`,
    modified,
  })),
  "directories in directories": [
    { path: `${"d/".repeat(300)}f`, data: "deep" },
    ...Array.from({ length: 600 }, (_, at): TarMember => ({ path: `w${at}/`, type: "directory", modified })),
  ],
  whiteouts: [
    { path: "d/.wh.gone" },
    { path: "e/.wh.gone" },
    { path: "o/.wh..wh..opq" },
    { path: "o/new", data: "1", modified },
    { path: ".wh..wh.plnk/1" },
    { path: ".wh.again" },
    { path: "again/", type: "directory", modified },
    { path: "a", data: "1", modified },
    { path: ".wh.a" },
    { path: ".wh.b" },
    { path: "b", data: "2", modified },
    { path: "kept/x", data: "1", modified },
    { path: ".wh.kept" },
  ],
  "later entries of the same name": [
    { path: "d/", type: "directory", modified },
    { path: "d/x/y", data: "1", modified },
    { path: "d/x", data: "2", modified },
    { path: "f", data: "old", modified },
    { path: "f", data: "newer", modified },
    { path: "g", data: "1", modified },
    { path: "h", type: "hardlink", target: "g" },
    { path: "g/", type: "directory", modified },
    { path: "l", type: "symlink", target: "d", modified },
    { path: "l/", type: "directory", modified },
    { path: "l/z", data: "1", modified },
  ],
  "entries through links": [
    { path: "usr/lib/", type: "directory", modified },
    { path: "lib", type: "symlink", target: "usr/lib", modified },
    { path: "lib/a", data: "1", modified },
    { path: "abs", type: "symlink", target: "/usr", modified },
    { path: "abs/lib/b", data: "2", modified },
    { path: "up", type: "symlink", target: "../../usr/./lib/..", modified },
    { path: "up/c", data: "3", modified },
    { path: "again", type: "hardlink", target: "lib/a" },
    { path: "up/lib/new/deep", data: "4", modified },
    { path: "lib/.wh.gone" },
  ],
  "links of links": [
    { path: "s", type: "symlink", target: "nowhere", modified },
    { path: "t", type: "hardlink", target: "s" },
    { path: "a", data: "1", modified },
    { path: "b", type: "hardlink", target: "a" },
    { path: "c", type: "hardlink", target: "b" },
    { path: "b", data: "2", modified },
    { path: "a", type: "hardlink", target: "a" },
  ],
  holes: [
    { path: "end", size: 50_000_000, segments: [{ offset: 40_000_000, data: "end" }], modified },
    {
      path: "huge",
      size: 2 ** 40,
      segments: [
        { offset: 5, data: "a" },
        { offset: 2 ** 39, data: "b" },
      ],
      modified,
    },
    { path: "none", size: 10_000, segments: [], modified },
    {
      path: "odd",
      size: 30_001,
      segments: [
        { offset: 0, data: noise(5000) },
        { offset: 5001, data: noise(100) },
        { offset: 30_000, data: "e" },
      ],
      modified,
    },
  ],
};

/** What both must refuse. */
const REFUSED: Readonly<Record<string, readonly TarMember[]>> = {
  "a name that climbs": [{ path: "../canary", data: "x" }],
  "a hard link to nothing": [{ path: "link", type: "hardlink", target: "nothing" }],
  "a hard link to a directory": [
    { path: "d/", type: "directory" },
    { path: "link", type: "hardlink", target: "d" },
  ],
  "a hard link to what it replaces": [
    { path: "d/x", data: "1" },
    { path: "d", type: "hardlink", target: "d/x" },
  ],
  "a hard link to what is gone": [{ path: ".wh.x" }, { path: "link", type: "hardlink", target: "x" }],
  "a parent that leads nowhere": [
    { path: "out", type: "symlink", target: "nowhere" },
    { path: "out/x", data: "x" },
  ],
  "a parent that leads to itself": [
    { path: "out", type: "symlink", target: "out" },
    { path: "out/x", data: "x" },
  ],
  "a parent that is a file": [
    { path: "f", data: "1" },
    { path: "f/x", data: "x" },
  ],
  "a parent that is gone": [{ path: ".wh.f" }, { path: "f/x", data: "x" }],
  "a 0:0 device": [{ path: "hide", type: "character", major: 0, minor: 0 }],
  "a whiteout of the parent": [{ path: ".wh..." }],
  "an opaque file": [{ path: "f", data: "1" }, { path: "f/.wh..wh..opq" }],
  "a root that is a file": [{ path: ".", data: "x" }],
  "a root that is a link": [{ path: "./", type: "hardlink", target: "x" }],
  "a file larger than every disk": [{ path: "s", size: 2 ** 45, segments: [{ offset: 0, data: "x" }] }],
  "a link to no name": [{ path: "s", type: "symlink", target: "" }],
};

describe.skipIf(!canMount)(`erofs image${canMount ? "" : ` (skipped: ${why})`}`, () => {
  test.each(Object.entries(ARCHIVES))(
    "%s: the image holds what overlay's unpacker makes",
    async (_name, members) => {
      await using place = await scratch();
      const [told, expected] = await Promise.all([
        into(`${place.path}/image`, members, "erofs"),
        into(`${place.path}/tree`, members, "overlay"),
      ]);
      expect(told).toEqual(expected);
      const image = `${place.path}/image/${EROFS_IMAGE}`;
      expect(await fsck(image)).toBe("");
      using tree = await mounted(image, `${place.path}/mounted`);
      expect(look(tree.path)).toEqual(look(`${place.path}/tree`));
    },
  );

  test.each(Object.entries(REFUSED))(
    "%s is refused as overlay's unpacker refuses it",
    async (_name, members) => {
      await using place = await scratch();
      for (const style of ["erofs", "overlay"] as const)
        await expect(into(`${place.path}/${style}`, members, style)).rejects.toMatchObject({
          kind: "invalid",
        });
    },
  );
});

async function into(
  directory: string,
  members: readonly TarMember[],
  whiteouts: UnpackStyle,
): Promise<Unpacked> {
  await mkdir(directory);
  return unpack({ directory, whiteouts, bytes: inPieces(tarOf(members), 4096) });
}

/** What is wrong with an image; nothing when it is sound. */
async function fsck(image: string): Promise<string> {
  const { code, stdout, stderr } = await run(["fsck.erofs", image]);
  return code === 0 ? "" : stdout + stderr;
}

async function mounted(image: string, path: string): Promise<Disposable & { readonly path: string }> {
  await mkdir(path);
  using device = attachLoop(image, { isReadonly: true });
  mount({ type: "erofs", source: device.path, target: path, flags: MS_RDONLY, options: [] });
  return { path, [Symbol.dispose]: () => unmount(path) };
}

/** Everything that can be seen of a tree. */
function look(root: string): unknown {
  const numbers = new Map<bigint, number>();
  return namesBelow(root, "").map((name) => {
    const path = Buffer.from(`${root}${name}`, "latin1");
    const stats = lstatSync(path, { bigint: true });
    const { mode, uid, gid, rdev, mtimeNs } = stats;
    const isDirectory = stats.isDirectory();
    const cString = Buffer.concat([path, Buffer.from([0])]);
    const isMark = stats.isCharacterDevice() && rdev === 0n;
    if (!isMark && !numbers.has(stats.ino)) numbers.set(stats.ino, numbers.size);
    return {
      name,
      mode: isMark ? 0n : mode,
      owner: [uid, gid],
      rdev: stats.isCharacterDevice() || stats.isBlockDevice() ? rdev : 0n,
      // Of directories that were not named and of marks it is the time of the unpacking.
      modified: mtimeNs > 1_300_000_000_000_000_000n || isMark ? 0n : mtimeNs,
      size: isDirectory ? 0n : stats.size,
      names: isMark || isDirectory ? 0 : [stats.nlink, numbers.get(stats.ino)],
      attributes: listAttributes(cString)
        .map((key) => [
          key,
          Buffer.from(getAttribute(cString, Buffer.from(`${key}\0`)) ?? []).toString("hex"),
        ])
        .sort(),
      target: stats.isSymbolicLink() ? readlinkSync(path, { encoding: "buffer" }).toString("latin1") : "",
      digest: stats.isFile() && stats.size < 2n ** 32n ? Bun.hash(readFileSync(path)) : 0,
    };
  });
}

/** Each with a slash before it, in some order that is the same for the same names. */
function namesBelow(root: string, name: string): readonly string[] {
  const path = Buffer.from(`${root}${name}`, "latin1");
  if (!lstatSync(path).isDirectory()) return [name];
  const names = readdirSync(path, { encoding: "buffer" }).map((child) =>
    Buffer.from(child).toString("latin1"),
  );
  return [name, ...names.sort().flatMap((child) => namesBelow(root, `${name}/${child}`))];
}
