import { describe, expect, test } from "bun:test";
import type { MountSpecRequest } from "#container";
import { parseBind } from "../../../src/jobs/container/binds.ts";
import { wantedMounts } from "../../../src/jobs/container/mounts.ts";
import { parseOwners } from "../../../src/jobs/container/owners.ts";
import { checkTmpfsOptions, tmpfsOptions } from "../../../src/jobs/container/tmpfs.ts";
import { specOf } from "../../fakes/containers.ts";

const IMAGE = { id: `sha256:${"a".repeat(64)}` };
const NEEDS = {
  dataRoot: "/var/lib/engine",
  images: { find: (ref: string) => (ref === "tools" ? IMAGE : undefined) as never },
  containers: {
    find: (ref: string) => {
      throw new Error(`No such container: ${ref}`);
    },
  },
};

function request(overrides: Partial<MountSpecRequest>): MountSpecRequest {
  return { type: "bind", source: "/", target: "/x", readonly: false, consistency: "", ...overrides };
}

function settled(overrides: Partial<MountSpecRequest>, user = "") {
  const spec = specOf({}, { mounts: [request(overrides)] });
  return wantedMounts(NEEDS, spec, { volumes: [], user })[0];
}

describe("the grammar of -v", () => {
  test.each([
    ["/host:/box", { source: "/host", destination: "/box" }, { isReadonly: false, propagation: "" }],
    ["/host/:/box/", { source: "/host", destination: "/box" }, {}],
    ["/a/../b:/c/./d", { source: "/b", destination: "/c/d" }, {}],
    ["/host:/box/../etc/..//up", { destination: "/up" }, {}],
    ["/host:/box:ro", {}, { isReadonly: true, text: "ro" }],
    ["/host:/box:rw,z,rslave", {}, { isReadonly: false, propagation: "rslave", text: "rw,z,rslave" }],
    ["/host:/box:Z,consistent,rprivate", {}, { propagation: "rprivate" }],
    ["/host:/box:cached", {}, { isReadonly: false }],
    ["/host:/box:delegated", {}, { isReadonly: false }],
    ["/host:/box:O", {}, { isOverlay: true }],
    ["data:/box", { source: "data", destination: "/box" }, {}],
    ["data:/box:nocopy", {}, { noCopy: true }],
    ["/box", { source: "", destination: "/box" }, {}],
    [
      "/host:/box:ro,idmap=uids=1000-0-1;gids=100-0-1",
      {},
      {
        isReadonly: true,
        owners: { uids: [{ onDisk: 1000, seen: 0, size: 1 }], gids: [{ onDisk: 100, seen: 0, size: 1 }] },
      },
    ],
  ])("%s", (text, bind, mode) => {
    expect(parseBind(text)).toMatchObject({ ...bind, mode });
  });

  const said = (text: string, why = "") => `invalid volume specification: '${text}'${why}`;
  const bind = ': invalid mount config for type "bind": ';
  const ROOT = "invalid specification: destination can't be '/'";

  test.each([
    ["", said("")],
    [":/box", said(":/box")],
    ["/host:", said("/host:")],
    ["/a:/b:ro:x", said("/a:/b:ro:x")],
    ["/foo:rw", said("/foo:rw")],
    ["/foo:ro,z", said("/foo:ro,z")],
    ["/host:box", said("/host:box", `${bind}invalid mount path: 'box' mount path must be absolute`)],
    ["/host:..", said("/host:..", `${bind}invalid mount path: '..' mount path must be absolute`)],
    ["/host:/", said("/host:/", bind + ROOT)],
    ["/host:/..", said("/host:/..", bind + ROOT)],
    ["/host:/a/../..", said("/host:/a/../..", bind + ROOT)],
    ["/host:/box:nocopy", said("/host:/box:nocopy", `${bind}field VolumeOptions must not be specified`)],
    [
      "data:/box:rshared",
      said(
        "data:/box:rshared",
        ': invalid mount config for type "volume": field BindOptions must not be specified',
      ),
    ],
    ["/host:/box:bogus", "invalid mode: bogus"],
    ["/host:/box:ro,rw", "invalid mode: ro,rw"],
    ["/host:/box:ro,ro", "invalid mode: ro,ro"],
    ["/host:/box:rro", "invalid mode: rro; did you mean ro?"],
    ["/host:/box:z,Z", "invalid mode: z,Z"],
    ["/host:/box:rslave,shared", "invalid mode: rslave,shared"],
    ["/host:/box:cached,delegated", "invalid mode: cached,delegated"],
    ["/host:/box:ro,", "invalid mode: ro,"],
    [
      "data:/box:O",
      said(
        "data:/box:O",
        ': invalid mount config for type "volume": an overlay (O) needs a folder of the host',
      ),
    ],
    [
      "/a,b:/box:O",
      said("/a,b:/box:O", `${bind}an overlay (O) cannot be over a path with a comma or a backslash`),
    ],
    [
      "/host:/box:O,ro",
      said("/host:/box:O,ro", `${bind}an overlay (O) is private and writable, and owners are as they are`),
    ],
    [
      "/host:/box:O,rslave",
      said(
        "/host:/box:O,rslave",
        `${bind}an overlay (O) is private and writable, and owners are as they are`,
      ),
    ],
    ["/host:/box:U", "invalid mode: U: owners of sources are not changed, see idmap for how they are seen"],
  ])("refuses %p", (text, words) => {
    expect(() => parseBind(text)).toThrow(new Error(words));
  });
});

describe("the grammar of owners", () => {
  const everybody = [{ onDisk: 0, seen: 0, size: 4294967295 }];
  test.each([
    [
      "idmap=uids=0-1-10#10-11-10;gids=0-100-10",
      [
        { onDisk: 0, seen: 1, size: 10 },
        { onDisk: 10, seen: 11, size: 10 },
      ],
      [{ onDisk: 0, seen: 100, size: 10 }],
    ],
    ["idmap=gids=5-6-7", everybody, [{ onDisk: 5, seen: 6, size: 7 }]],
    ["idmap=uids=@5-6-7", [{ onDisk: 5, seen: 6, size: 7, isInside: true }], everybody],
  ])("%s", (text, uids, gids) => {
    expect(parseOwners(text)).toEqual({ uids, gids });
  });

  test.each([
    ["idmap", "name the owners"],
    ["idmap=", "name the owners"],
    ["idmap=uids=", "it is made of uids=… and gids=…"],
    ["idmap=uids=1-2", '"1-2" is not of the form 1000-0-1'],
    ["idmap=uids=1-2-3#", '"" is not of the form'],
    ["idmap=uids=1-2-3;uids=4-5-6", "each of uids and gids is named once"],
    ["idmap=uids=1-2-0", "the range 1-2-0 is empty or beyond the last id"],
    ["idmap=uids=0-1-9999999999", "beyond the last id"],
    ["idmap=uids=0-0-10#9-20-1", "the range 9-20-1 lies over another one"],
    ["idmap=uids=0-0-10#20-9-1", "the range 20-9-1 lies over another one"],
    [
      `idmap=uids=${Array.from({ length: 341 }, (_, id) => `${id}-${id}-1`).join("#")}`,
      "between one and 340 ranges",
    ],
  ])("refuses %p", (text, words) => {
    expect(() => parseOwners(text)).toThrow(words);
  });
});

describe("the options of a tmpfs", () => {
  test.each([
    "",
    "size=64m,mode=1777",
    "rw,noexec,nosuid,nodev",
    "uid=1,gid=2,nr_inodes=3,nr_blocks=50%,mpol=bind:0",
  ])("%p", (text) => {
    expect(checkTmpfsOptions(text)).toBe(text);
  });

  test.each([
    ["foo=bar", 'invalid tmpfs option ["foo" "bar"]'],
    ["rw,huge", 'invalid tmpfs option ["huge"]'],
    ["bind", 'invalid tmpfs option ["bind"]'],
    ["size", 'invalid tmpfs option ["size"]'],
    ["remount", 'invalid tmpfs option ["remount"]'],
    ["rro", 'invalid tmpfs option ["rro"]; did you mean ro?'],
    ["size=", 'invalid tmpfs option ["size" ""]'],
    ["size=1m\0", 'invalid tmpfs option ["size" "1m\\u0000"]'],
    ["source=x", 'invalid tmpfs option ["source" "x"]'],
  ])("refuse %p", (text, words) => {
    expect(() => checkTmpfsOptions(text)).toThrow(new Error(words));
  });

  test.each([
    [{ sizeBytes: 65536, mode: 0o1770 }, "mode=1770,size=64k"],
    [{ sizeBytes: 1 << 30, mode: 0 }, "size=1g"],
    [{ sizeBytes: 3 << 20, mode: 0 }, "size=3m"],
    [{ sizeBytes: 1000, mode: 0 }, "size=1000"],
    [{ sizeBytes: 0, mode: 0, options: [["exec"]] }, "exec"],
  ])("of --mount: %p", (tmpfs, text) => {
    expect(tmpfsOptions(request({ tmpfs }))).toBe(text);
    const readonly = tmpfsOptions(request({ tmpfs, readonly: true }));
    expect(readonly).toBe(`ro,${text}`);
  });

  test.each([
    [{ sizeBytes: 0, mode: 0, options: [["huge"]] }, "invalid option: huge"],
    [{ sizeBytes: 0, mode: 0, options: [["exec", "x"]] }, "invalid option: exec"],
    [{ sizeBytes: 0, mode: 0, options: [[]] }, "invalid option array length"],
    [{ sizeBytes: -1, mode: 0 }, "the size -1 is negative"],
  ])("of --mount refuse %p", (tmpfs, words) => {
    expect(() => tmpfsOptions(request({ tmpfs }))).toThrow(
      new Error(`invalid mount config for type "tmpfs": ${words}`),
    );
  });
});

const BIND = {
  propagation: "",
  isNonRecursive: false,
  createMountpoint: false,
  readOnlyNonRecursive: false,
  readOnlyForceRecursive: false,
};
const VOLUME = { noCopy: false, labels: {}, driverName: "", driverOptions: {}, subpath: "" };
const TMPFS = { sizeBytes: 0, mode: 0 };

describe("the grammar of --mount", () => {
  const type = (name: string, words: string) => `invalid mount config for type "${name}": ${words}`;
  const extra = (name: string, field: string) => type(name, `field ${field} must not be specified`);
  const SUBPATH = "subpath must be a relative path within the volume";

  test.each<[Partial<MountSpecRequest>, string]>([
    [{ type: "npipe" }, type("npipe", "mount type unknown")],
    [{ type: "cluster" }, type("cluster", "mount type unknown")],
    [{ type: "devpts" }, type("devpts", "mount type unknown")],
    [{ target: "" }, type("bind", "field Target must not be empty")],
    [{ target: "/" }, type("bind", "invalid specification: destination can't be '/'")],
    [{ target: "/a/.." }, type("bind", "invalid specification: destination can't be '/'")],
    [{ target: "rel" }, type("bind", "invalid mount path: 'rel' mount path must be absolute")],
    [{ source: "" }, type("bind", "field Source must not be empty")],
    [{ source: "rel" }, type("bind", "invalid mount path: 'rel' mount path must be absolute")],
    [{ source: "/does/not/exist" }, type("bind", "bind source path does not exist: /does/not/exist")],
    [{ bind: { ...BIND, propagation: "foo" } }, type("bind", "invalid propagation mode: foo")],
    [{ volume: VOLUME }, extra("bind", "VolumeOptions")],
    [{ image: { subpath: "" } }, extra("bind", "ImageOptions")],
    [{ tmpfs: TMPFS }, extra("bind", "TmpfsOptions")],
    [{ hasClusterOptions: true }, extra("bind", "ClusterOptions")],
    [{ type: "volume", source: "vol", bind: BIND }, extra("volume", "BindOptions")],
    [
      { type: "volume", source: "a/b" },
      'create a/b: "a/b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    ],
    [{ type: "volume", source: "vol", volume: { ...VOLUME, subpath: "/abs" } }, type("volume", SUBPATH)],
    [{ type: "volume", source: "vol", volume: { ...VOLUME, subpath: "a/../../b" } }, type("volume", SUBPATH)],
    [
      { type: "volume", source: "", volume: { ...VOLUME, subpath: "a" } },
      type("volume", "must not set Subpath when using anonymous volumes"),
    ],
    [{ type: "tmpfs", source: "x" }, extra("tmpfs", "Source")],
    [{ type: "tmpfs", source: "", volume: VOLUME }, extra("tmpfs", "VolumeOptions")],
    [{ type: "image", source: "" }, type("image", "field Source must not be empty")],
    [{ type: "image", source: "tools", bind: BIND }, extra("image", "BindOptions")],
    [{ type: "image", source: "tools", image: { subpath: ".." } }, type("image", SUBPATH)],
    [{ type: "image", source: "none" }, "No such image: none:latest"],
    [
      { bind: { ...BIND, idMapping: { source: "x", user: "" } } },
      type("bind", "invalid IDMapping.Source: x"),
    ],
    [
      { bind: { ...BIND, idMapping: { source: "match-user", user: "ann" } } },
      type(
        "bind",
        `cannot show the source's owner as "ann": name the user by number, as in bind-idmap=match-user:1000:1000`,
      ),
    ],
  ])("refuses %j", (overrides, words) => {
    expect(() => settled(overrides)).toThrow(new Error(words));
  });

  test.each<[Partial<MountSpecRequest>, object]>([
    [
      { source: "/tmp/../usr/", target: "/a/../b//" },
      { source: "/usr", destination: "/b", propagation: "rprivate" },
    ],
    [{ source: "/usr", bind: { ...BIND, propagation: "slave" } }, { propagation: "slave" }],
    [{ source: "/usr", bind: { ...BIND, isNonRecursive: true } }, { isRecursive: false }],
    [
      { source: "/usr", readonly: true, bind: { ...BIND, readOnlyNonRecursive: true } },
      { isWritable: false, isReadonlyShallow: true },
    ],
    [{ source: "/does/not", bind: { ...BIND, createMountpoint: true } }, { createSource: true }],
    [
      { source: "/usr", bind: { ...BIND, idMap: "uids=1-2-3" } },
      { owners: { uids: [{ onDisk: 1, seen: 2, size: 3 }] } },
    ],
    [
      { source: "/usr", bind: { ...BIND, idMapping: { source: "match-user", user: "7:8" } } },
      { seenAs: { uid: 7, gid: 8 } },
    ],
    [
      { source: "/usr", bind: { ...BIND, idMapping: { source: "match-user", user: "" } } },
      { seenAs: { uid: 0, gid: 0 } },
    ],
    [
      { type: "volume", source: "vol" },
      { type: "volume", mode: "z", copyUp: true },
    ],
    [{ type: "volume", source: "vol", volume: { ...VOLUME, noCopy: true } }, { copyUp: false }],
    [{ type: "volume", source: "vol", volume: { ...VOLUME, subpath: "a//./b/" } }, { subpath: "a/b" }],
    [
      { type: "volume", source: "", readonly: true },
      { isAnonymous: true, isWritable: false },
    ],
    [
      { type: "image", source: "tools", image: { subpath: "bin" } },
      { type: "image", isWritable: false, subpath: "bin", image: { id: IMAGE.id, reference: "tools" } },
    ],
    [
      { type: "tmpfs", source: "", tmpfs: { ...TMPFS, mode: 0o700 } },
      { type: "tmpfs", tmpfsOptions: "mode=700" },
    ],
  ])("%j", (overrides, mount) => {
    expect(settled(overrides)?.mount).toMatchObject(mount);
  });

  test("matches the container's own user where nobody is named", () => {
    const bind = { ...BIND, idMapping: { source: "match-user", user: "" } };
    expect(settled({ source: "/usr", bind }, "33:44")?.mount).toMatchObject({ seenAs: { uid: 33, gid: 44 } });
    expect(() => settled({ source: "/usr", bind }, "www-data")).toThrow("name the user by number");
  });
});

describe("binds of the engine's own folder", () => {
  const bind = (source: string, propagation = "") =>
    wantedMounts(NEEDS, specOf({}, { binds: [`${source}:/x${propagation && `:${propagation}`}`] }), {
      volumes: [],
      user: "",
    })[0]?.mount;

  test.each(["/", "/var/lib", "/var/lib/engine", "/var/lib/engine/volumes"])(
    "%s follow the host",
    (source) => {
      expect(bind(source)).toMatchObject({ propagation: "rslave", hasFallback: true });
      expect(bind(source, "rshared")).toMatchObject({ propagation: "rshared" });
      expect(() => bind(source, "rprivate")).toThrow(
        'must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "/var/lib/engine"',
      );
    },
  );

  test("are not those of a like name", () => {
    expect(bind("/var/lib/engine2")).toMatchObject({ propagation: "rprivate" });
  });
});
