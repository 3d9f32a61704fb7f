import { afterAll, describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import type { ContainerSpec, HostSpec, MountSpecRequest } from "#container";
import { GraphDB } from "#graphdb";
import { localVolumes, openVolumes } from "#volume";
import { copyUp, resolveInRoot } from "../../../src/jobs/container/copy-up.ts";
import { settleMount, wantedMounts } from "../../../src/jobs/container/mounts.ts";
import { makeSources } from "../../../src/jobs/container/sources.ts";
import { recordOf, specOf } from "../../fakes/containers.ts";
import { FakeGraphDriver } from "../../fakes/graph.ts";
import { scratch } from "../../fakes/scratch.ts";

const roots: AsyncDisposable[] = [];
afterAll(() => Promise.all(roots.map((root) => root[Symbol.asyncDispose]())));

async function folder(): Promise<string> {
  const root = await scratch();
  roots.push(root);
  return root.path;
}

async function volumesIn(root: string) {
  const database = new GraphDB(":memory:");
  return openVolumes({ database, root, kinds: [localVolumes], complain: console.error });
}

const NOBODY = {
  dataRoot: "/var/lib/engine",
  images: { find: () => undefined },
  containers: {
    find: (ref: string) => {
      throw new Error(`No such container: ${ref}`);
    },
  },
};

function mounts(host: Partial<HostSpec>, volumes: readonly string[] = [], spec: Partial<ContainerSpec> = {}) {
  const whole = { ...specOf({}, host), ...spec, host: { ...specOf().host, ...host } };
  return wantedMounts(NOBODY, whole, { volumes, user: "" });
}

function request(overrides: Partial<MountSpecRequest>): MountSpecRequest {
  return { type: "bind", source: "/", target: "/x", readonly: false, consistency: "", ...overrides };
}

describe("the mounts of a container", () => {
  test("are binds, volumes, tmpfs and the image's volumes where nothing else is", () => {
    const wanted = mounts({ binds: ["/host:/a:ro", "data:/b"], tmpfs: { "/c": "size=1m" } }, ["/a", "/d"]);
    expect(wanted.map(({ kind, mount }) => [kind, mount.destination, mount.type, mount.isWritable])).toEqual([
      ["settled", "/c", "tmpfs", true],
      ["settled", "/a", "bind", false],
      ["volume", "/b", "volume", true],
      ["volume", "/d", "volume", true],
    ]);
    expect(wanted.map(({ mount }) => mount.isAnonymous)).toEqual([false, false, false, true]);
  });

  for (const host of [
    { binds: ["/a:/x", "/b:/x/"] },
    { binds: ["/a:/x"], tmpfs: { "/x": "" } },
    { binds: ["/:/x"], mounts: [request({})] },
  ])
    test(`are refused when two are at one place: ${JSON.stringify(host).slice(0, 60)}`, () => {
      expect(() => mounts(host)).toThrow("Duplicate mount point: /x");
    });

  for (const [host, volumes, words] of [
    [{ binds: ["/usr:/proc"] }, [], '"/proc" cannot be mounted because it is not of type proc'],
    [{ tmpfs: { "/proc/": "" } }, [], '"/proc" cannot be mounted because it is not of type proc'],
    [{}, ["/proc"], '"/proc" cannot be mounted because it is not of type proc'],
    [{ binds: ["/usr:/x/../proc/self"] }, [], '"/proc/self" cannot be mounted because it is inside /proc'],
    [{ binds: ["/proc:/proc/1"] }, [], '"/proc/1" cannot be mounted because it is inside /proc'],
  ] as const)
    test(`never cover procfs: ${JSON.stringify([host, volumes])}`, () => {
      expect(() => mounts(host, volumes)).toThrow(words);
    });

  test("may be procfs again, or tell of another machine", () => {
    expect(
      mounts({ binds: ["/proc:/proc", "/etc/passwd:/proc/cpuinfo", "/etc/group:/proc/net/dev"] }),
    ).toHaveLength(3);
    expect(mounts({ binds: ["/usr:/process"] })).toHaveLength(1);
  });

  test("by --mount need their source to be there", () => {
    expect(() => mounts({ mounts: [request({ source: "/does/not/exist" })] })).toThrow(
      'invalid mount config for type "bind": bind source path does not exist: /does/not/exist',
    );
    const bind = {
      propagation: "",
      isNonRecursive: true,
      createMountpoint: true,
      readOnlyNonRecursive: false,
      readOnlyForceRecursive: false,
    };
    const [made] = mounts({ mounts: [request({ source: "/does/not/exist", bind })] });
    expect(made?.mount).toMatchObject({ createSource: true, isRecursive: false, propagation: "rprivate" });
  });

  test("are borrowed from another container, read-only when asked, and copy nothing up", () => {
    const [volume] = mounts({ binds: ["data:/d"] });
    const [tmpfs] = mounts({ tmpfs: { "/t": "" } });
    const other = recordOf("o", { mounts: [volume, tmpfs].flatMap((one) => one?.mount ?? []) });
    const needs = { ...NOBODY, containers: { find: () => other } };
    const plain = { volumes: [], user: "" };
    const borrowed = wantedMounts(needs, specOf({}, { volumesFrom: ["o:ro"] }), plain);
    expect(borrowed.map(({ mount }) => mount)).toMatchObject([
      { destination: "/d", isWritable: false, copyUp: false },
    ]);
    const own = wantedMounts(needs, specOf({}, { volumesFrom: ["o"], binds: ["/own:/d"] }), plain);
    expect(own.map(({ mount }) => mount.source)).toEqual(["/own"]);
  });
});

describe("volumes of mounts", () => {
  test("are made when missing and found when there", async () => {
    const volumes = await volumesIn(`${await folder()}/volumes`);
    const [wanted] = mounts({ binds: ["data:/d"] });
    if (wanted === undefined) throw new Error("nothing wanted");
    expect(await settleMount(volumes, wanted, "c1")).toMatchObject({
      made: "data",
      mount: { name: "data", driver: "local", source: volumes.find("data")?.mountpoint },
    });
    expect((await settleMount(volumes, wanted, "c1")).made).toBeUndefined();
  });

  test("tell whether they have a size limit", async () => {
    const volumes = await volumesIn(`${await folder()}/volumes`);
    const plain = await volumes.create({ name: "data" });
    const [wanted] = mounts({ binds: ["data:/d"] });
    if (wanted === undefined) throw new Error("nothing wanted");
    const settled = async (options: Readonly<Record<string, string>>) => {
      const found = { find: () => plain, create: async () => ({ ...plain, options }) };
      return (await settleMount(found, wanted, "c1")).mount.hasSizeLimit;
    };
    expect([await settled({}), await settled({ size: "1m" })]).toEqual([undefined, true]);
  });
});

describe("missing sources", () => {
  test("are made, and unmade while they are empty", async () => {
    const root = await folder();
    const [one, two] = mounts({ binds: [`${root}/a/b/c:/x`, `${root}/d:/y`] });
    const made = await makeSources([one, two].flatMap((wanted) => wanted?.mount ?? []));
    expect((await readdir(root)).sort()).toEqual(["a", "d"]);
    await writeFile(`${root}/d/kept`, "");
    await made[Symbol.asyncDispose]();
    expect(await readdir(root)).toEqual(["d"]);
  });

  test("that may not be made end the start, and what was made goes", async () => {
    const root = await folder();
    const [one, two] = mounts({ binds: [`${root}/a:/x`, `${root}/gone:/y`] });
    const mount = two?.mount;
    if (one === undefined || mount === undefined) throw new Error("nothing wanted");
    expect(makeSources([one.mount, { ...mount, createSource: false }])).rejects.toThrow(
      "bind source path does not exist",
    );
    await makeSources([one.mount, { ...mount, createSource: false }]).catch(() => {});
    expect(await readdir(root)).toEqual([]);
  });

  test("below a file say why", async () => {
    const root = await folder();
    await writeFile(`${root}/file`, "");
    const [one] = mounts({ binds: [`${root}/file/a:/x`] });
    expect(makeSources([one].flatMap((wanted) => wanted?.mount ?? []))).rejects.toThrow(
      "error while creating mount source path",
    );
  });
});

describe("copying up", () => {
  async function house() {
    const root = await folder();
    const volumes = await volumesIn(`${root}/volumes`);
    const driver = new FakeGraphDriver(`${root}/layers`);
    await driver.create("layer" as never);
    const tree = driver.path("layer" as never);
    await mkdir(`${tree}/data/sub`, { recursive: true, mode: 0o750 });
    await writeFile(`${tree}/data/sub/file`, "from the image", { mode: 0o640 });
    const volume = await volumes.create({ name: "vol" });
    const [wanted] = mounts({ binds: ["vol:/data"] });
    if (wanted === undefined) throw new Error("nothing wanted");
    const { mount } = await settleMount(volumes, wanted, "c1");
    const container = recordOf("c", { layer: "layer", mounts: [mount] });
    return { tree, volumes, volume, driver, container };
  }

  test("fills an empty volume with what the image has, owner and mode too", async () => {
    const { volumes, volume, driver, container, tree } = await house();
    await copyUp({ driver, volumes }, container);
    expect(await readFile(`${volume.mountpoint}/sub/file`, "utf8")).toBe("from the image");
    const [there, here] = await Promise.all([stat(`${tree}/data`), stat(volume.mountpoint)]);
    expect(here.mode).toBe(there.mode);
    expect([...driver.mounted.values()]).toEqual([0]);
    expect(await readdir(`${volume.mountpoint}/..`)).toEqual(["_data"]);
  });

  test("leaves a volume with content, and mounts nothing then", async () => {
    const { volumes, volume, driver, container } = await house();
    await writeFile(`${volume.mountpoint}/mine`, "");
    await copyUp({ driver, volumes }, container);
    expect(await readdir(volume.mountpoint)).toEqual(["mine"]);
    expect(driver.mounted.size).toBe(0);
  });

  test("is not done for nocopy", async () => {
    const { volumes, volume, driver, container } = await house();
    const mount = container.mounts[0];
    if (mount === undefined) throw new Error("no mount");
    await copyUp({ driver, volumes }, { ...container, mounts: [{ ...mount, copyUp: false }] });
    expect(await readdir(volume.mountpoint)).toEqual([]);
  });

  test("unmounts the layer and leaves the volume empty when it fails", async () => {
    const { volumes, volume, driver, container, tree } = await house();
    await symlink("/loop", `${tree}/loop`);
    const mount = container.mounts[0];
    if (mount === undefined) throw new Error("no mount");
    const looping = { ...container, mounts: [{ ...mount, destination: "/loop" }] };
    expect(copyUp({ driver, volumes }, looping)).rejects.toThrow("too many levels of symbolic links");
    await copyUp({ driver, volumes }, looping).catch(() => {});
    expect(await readdir(volume.mountpoint)).toEqual([]);
    expect([...driver.mounted.values()]).toEqual([0]);
  });
});

describe("a path in a tree", () => {
  test("never leads out of it, whatever its links say", async () => {
    const root = await folder();
    await mkdir(`${root}/etc`);
    await writeFile(`${root}/etc/passwd`, "inside");
    await symlink("/etc", `${root}/absolute`);
    await symlink("../../../etc", `${root}/climbing`);
    await symlink("absolute/passwd", `${root}/twice`);
    for (const path of ["/absolute/passwd", "/climbing/passwd", "/twice", "/../../etc/passwd"])
      expect(await resolveInRoot(root, path)).toBe(`${root}/etc/passwd`);
    expect(await resolveInRoot(root, "/absolute/none")).toBeUndefined();
  });
});
