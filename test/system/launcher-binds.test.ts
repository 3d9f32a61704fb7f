import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import type { RuntimeMount } from "#libcontainer";
import { type Box, type Outcome, openBox } from "../fixtures/container-box.ts";
import { cannotRun } from "../fixtures/runtime-spec.ts";

const reason = cannotRun === undefined ? "" : ` (skipped: ${cannotRun})`;
const sh = (script: string) => ["sh", "-c", script];

let box: Box;
let shared: string;
let count = 0;

/** A folder of the host with one file. */
function folder(): string {
  const path = `${box.path}/f${count++}`;
  mkdirSync(path);
  writeFileSync(`${path}/file`, `of ${path}\n`);
  return path;
}

const bind = (source: string, more: Partial<RuntimeMount> = {}): RuntimeMount => ({
  destination: "/mnt",
  type: "bind",
  source,
  options: ["rbind"],
  ...more,
});

const PROC: RuntimeMount = { destination: "/proc", type: "proc", source: "proc", options: [] };
const run = (script: string, ...mounts: readonly RuntimeMount[]): Promise<Outcome> =>
  box.run(sh(script), { spec: { mounts: [PROC, ...mounts] } });

function mounted(words: readonly string[]): AsyncDisposable {
  expect(Bun.spawnSync(["mount", ...words]).exitCode).toBe(0);
  const target = words.at(-1) ?? "";
  return { [Symbol.asyncDispose]: async () => void Bun.spawnSync(["umount", "-l", "-R", target]) };
}

describe.skipIf(cannotRun !== undefined)(`binds of a launched container${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
    shared = mkdtempSync(`${tmpdir()}/shared-`);
  });
  afterAll(async () => {
    await box[Symbol.asyncDispose]();
    await rm(shared, { recursive: true });
  });

  test("of a part show that part alone, and a file by itself", async () => {
    const path = folder();
    mkdirSync(`${path}/a/b`, { recursive: true });
    writeFileSync(`${path}/a/b/deep`, "deep\n");
    symlinkSync("a/b", `${path}/link`);
    expect((await run("ls /mnt", bind(path, { subpath: "a/b" }))).stdout).toBe("deep\n");
    expect((await run("ls /mnt", bind(path, { subpath: "link" }))).stdout).toBe("deep\n");
    const file = bind(path, { subpath: "a/b/deep", destination: "/one" });
    expect((await run("cat /one", file)).stdout).toBe("deep\n");
  });

  test.each([
    ["a link to /etc", "/etc", "path escapes from parent"],
    ["a link that climbs", "../../../../../../etc", "path escapes from parent"],
    ["a link through procfs", "/proc/self/root", "path escapes from parent"],
    ["a link to nothing", "nowhere", "no such file or directory"],
  ])("of a part that is %s are refused", async (_title, to, words) => {
    const path = folder();
    symlinkSync(to, `${path}/out`);
    await expect(run("true", bind(path, { subpath: "out" }))).rejects.toThrow(words);
  });

  test("of files cover what dangling links in the image mean, inside the root", async () => {
    const path = folder();
    symlinkSync("/run/made/by/us", `${box.root}/dangling`);
    symlinkSync("../../../../../up", `${box.root}/etc/climbing`);
    const { stdout } = await run(
      "cat /dangling /run/made/by/us /up",
      bind(`${path}/file`, { destination: "/dangling" }),
      bind(`${path}/file`, { destination: "/etc/climbing" }),
    );
    expect(stdout).toBe(`of ${path}\n`.repeat(3));
    expect(existsSync("/up") || existsSync("/run/made")).toBe(false);
  });

  test("with owners of their own: the container's root makes files of the owner that is meant", async () => {
    const path = folder();
    for (const name of [path, `${path}/file`]) chownSync(name, 1000, 100);
    writeFileSync(`${path}/other`, "");
    const owners = (from: number) => [{ containerId: from, hostId: 0, size: 1 }];
    const mount = bind(path, { uidMappings: owners(1000), gidMappings: owners(100) });
    const { stdout, stderr } = await run(
      "stat -c '%u:%g' /mnt/file /mnt/other; echo x > /mnt/made; stat -c %u /mnt/made",
      mount,
    );
    expect([stdout, stderr]).toEqual(["0:0\n65534:65534\n0\n", ""]);
    const { uid, gid } = statSync(`${path}/made`);
    expect([uid, gid]).toEqual([1000, 100]);
    const shallow = await run("grep ' /mnt ' /proc/self/mountinfo", mount);
    expect(shallow.stdout).toContain("idmapped");
  });

  test("with owners of their own say so where the file system cannot", async () => {
    const ids = [{ containerId: 1, hostId: 0, size: 1 }];
    const mount = bind("/proc/sys", { uidMappings: ids, gidMappings: ids });
    await expect(run("true", mount)).rejects.toThrow(
      "Cannot map the owners of /proc/sys (idmap): its file system cannot do that; bind it without idmap",
    );
  });

  test("leave no process behind that lent its user namespace", async () => {
    const path = folder();
    const ids = [{ containerId: 7, hostId: 0, size: 1 }];
    const container = await box.start("mapped", ["sleep", "100"], {
      spec: { mounts: [PROC, bind(path, { uidMappings: ids, gidMappings: ids })] },
    });
    const supervisor = readFileSync(`/proc/${container.pid}/status`, "utf8").match(/PPid:\t(\d+)/)?.[1];
    const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, "utf8").trim();
    expect(children).toBe(`${container.pid}`);
    await container.signal(9);
    await container.exited;
  });

  test("rshared are seen by the host, rslave see the host, private neither", async () => {
    await using _outer = mounted(["-t", "tmpfs", "none", shared]);
    expect(Bun.spawnSync(["mount", "--make-shared", shared]).exitCode).toBe(0);
    for (const name of ["in", "out"]) mkdirSync(`${shared}/${name}`);
    const capabilities = ["CAP_SYS_ADMIN"] as const;
    const seen: Record<string, readonly boolean[]> = {};
    for (const word of ["rprivate", "rslave", "rshared"]) {
      const spec = { mounts: [PROC, bind(shared, { options: ["rbind", word] })] };
      const container = await box.start(
        `prop-${word}`,
        sh("mount -t tmpfs none /mnt/out; touch /mnt/out/x; sleep 100"),
        {
          spec,
          process: { capabilities },
        },
      );
      const inside = `/proc/${container.pid}/root/mnt`;
      while (!existsSync(`${inside}/out/x`)) await Bun.sleep(5);
      {
        await using _inner = mounted(["-t", "tmpfs", "none", `${shared}/in`]);
        writeFileSync(`${shared}/in/y`, "");
        seen[word] = [existsSync(`${shared}/out/x`), existsSync(`${inside}/in/y`)];
      }
      await container.signal(9);
      await container.exited;
      Bun.spawnSync(["umount", `${shared}/out`]);
    }
    expect(seen).toEqual({ rprivate: [false, false], rslave: [false, true], rshared: [true, true] });
  });

  test("that are private let what is mounted below follow the host, and rprivate do not", async () => {
    await using _outer = mounted(["-t", "tmpfs", "none", shared]);
    mkdirSync(`${shared}/below`);
    await using _below = mounted(["-t", "tmpfs", "none", `${shared}/below`]);
    expect(Bun.spawnSync(["mount", "--make-rshared", shared]).exitCode).toBe(0);
    const tags = async (word: string) =>
      (await run("grep ' /mnt' /proc/self/mountinfo", bind(shared, { options: ["rbind", word] }))).stdout
        .trim()
        .split("\n")
        .map((line) => /(shared|master):/.exec(line)?.[1]);
    expect(await tags("rprivate")).toEqual([undefined, undefined]);
    expect(await tags("private")).toEqual([undefined, "master"]);
    expect(await tags("rslave")).toEqual(["master", "master"]);
    expect(await tags("rshared")).toEqual(["shared", "shared"]);
  });
});

describe.skipIf(cannotRun !== undefined)(`images in a launched container${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
  });
  afterAll(() => box[Symbol.asyncDispose]());

  function tree(): NonNullable<RuntimeMount["tree"]> {
    const directory = `${box.path}/t${count++}`;
    for (const name of ["one/bin", "two/etc"]) mkdirSync(`${directory}/${name}`, { recursive: true });
    writeFileSync(`${directory}/one/bin/tool`, "tool\n");
    writeFileSync(`${directory}/two/etc/conf`, "conf\n");
    symlinkSync("/etc", `${directory}/two/out`);
    const options = ["lowerdir+=two", "lowerdir+=one"];
    return { type: "overlay", source: "overlay", flags: 1, options, directory };
  }

  const image = (more: Partial<RuntimeMount> = {}): RuntimeMount => ({
    destination: "/img",
    type: "image",
    source: "",
    options: [],
    tree: tree(),
    ...more,
  });

  test("are there, and nobody can write to them", async () => {
    const before = readFileSync("/proc/self/mountinfo", "utf8");
    const { stdout } = await run(
      "cat /img/bin/tool /img/etc/conf; touch /img/x 2>/dev/null || echo refused",
      image(),
    );
    expect(stdout).toBe("tool\nconf\nrefused\n");
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
  });

  test("in part, a folder or a file, and of the rest nothing is mounted", async () => {
    const script =
      "ls /img; grep -c ' overlay ' /proc/self/mountinfo; touch /img/x 2>/dev/null || echo refused";
    expect((await run(script, image({ subpath: "etc" }))).stdout).toBe("conf\n1\nrefused\n");
    const file = image({ subpath: "bin/tool", destination: "/tool" });
    expect((await run("cat /tool", file)).stdout).toBe("tool\n");
  });

  test("in part are refused where that leads out or to nothing", async () => {
    await expect(run("true", image({ subpath: "out" }))).rejects.toThrow("path escapes from parent");
    await expect(run("true", image({ subpath: "none" }))).rejects.toThrow("no such file or directory");
  });
});

describe.skipIf(cannotRun !== undefined)(`a tmpfs of a launched container${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
  });
  afterAll(() => box[Symbol.asyncDispose]());

  test("has the mode it is told, that of the folder it covers, or 1777", async () => {
    mkdirSync(`${box.root}/covered`);
    chmodSync(`${box.root}/covered`, 0o2710);
    const tmpfs = (destination: string, options: readonly string[]): RuntimeMount => ({
      destination,
      type: "tmpfs",
      source: "tmpfs",
      options,
    });
    const { stdout } = await run(
      "stat -c %a /covered /new /told",
      tmpfs("/covered", ["size=1m"]),
      tmpfs("/new", []),
      tmpfs("/told", ["nosuid", "mode=700"]),
    );
    expect(stdout).toBe("2710\n1777\n700\n");
  });
});
