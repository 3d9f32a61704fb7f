import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { BUNKER, type Outcome, run } from "../fixtures/daemon.ts";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";
import { requirePackages } from "../fixtures/index.ts";

/** Debian's docker.io; another in PATH is not asked for. */
const DOCKER = "/usr/bin/docker";
let part: HostPart;
let base: string;
/** A running container that sees `base` as /t. */
let id: string;
let count = 0;

beforeAll(async () => {
  await requirePackages(["docker.io"]);
  base = await mkdtemp(`${tmpdir()}/cp-`);
  part = await HostPart.open("busybox");
  ({ id } = await part.start(["sleep", "1000"], { Binds: [`${base}:/t`] }));
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await rm(base, { recursive: true, force: true });
}, PATIENCE);

const SOURCES = ["file", "dir", "dir/", "dir/.", "to-file", "to-dir", "to-dir/", "to-dir/.", "none"];
const TARGETS = [
  "absent",
  "absent/",
  "no/absent",
  "old-file",
  "old-dir",
  "old-dir/",
  "old-dir/.",
  "to-old-dir",
  "to-old-file",
  "dangling",
];

/** What is copied from. */
function sources(): string {
  const path = `${base}/s${count++}`;
  mkdirSync(`${path}/dir/sub`, { recursive: true });
  writeFileSync(`${path}/file`, "new");
  writeFileSync(`${path}/dir/one`, "one");
  writeFileSync(`${path}/dir/sub/two`, "two");
  symlinkSync("one", `${path}/dir/link`);
  symlinkSync("file", `${path}/to-file`);
  symlinkSync("dir", `${path}/to-dir`);
  return path;
}

/** What is copied to. */
function targets(): string {
  const path = `${base}/d${count++}`;
  mkdirSync(`${path}/old-dir/sub`, { recursive: true });
  writeFileSync(`${path}/old-file`, "old");
  writeFileSync(`${path}/old-dir/kept`, "kept");
  symlinkSync("old-dir", `${path}/to-old-dir`);
  symlinkSync("old-file", `${path}/to-old-file`);
  symlinkSync("absent", `${path}/dangling`);
  return path;
}

/** Everything below a folder: kind and content of each path. */
function tree(path: string, prefix = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(path).sort()) {
    const at = `${path}/${name}`;
    const stats = lstatSync(at);
    const mode = (stats.mode & 0o7777).toString(8);
    if (stats.isSymbolicLink()) found[prefix + name] = `-> ${readlinkSync(at)}`;
    else if (stats.isDirectory())
      Object.assign(found, { [`${prefix}${name}/`]: mode }, tree(at, `${prefix}${name}/`));
    else found[prefix + name] = `${mode} ${readFileSync(at, "utf8")}`;
  }
  return found;
}

const inside = (path: string) => path.replace(base, "/t");

async function cp(program: string, ...words: readonly string[]): Promise<Outcome> {
  const host = `unix://${part.daemon.socket}`;
  return run([program, "cp", ...words], {
    DOCKER_HOST: host,
    BUNKER_HOST: host,
    DOCKER_CONFIG: "/nonexistent",
  });
}

describe.each([
  ["", []],
  ["following links", ["-L"]],
] as const)("as docker's own client does, %s", (_, flags) => {
  test.each(SOURCES)(
    "into a container: %s onto everything",
    async (source) => {
      const from = sources();
      for (const target of TARGETS) {
        const [ours, theirs] = [targets(), targets()];
        const words = [...flags, `${from}/${source}`];
        const one = await cp(BUNKER, ...words, `${id}:${inside(ours)}/${target}`);
        const other = await cp(DOCKER, ...words, `${id}:${inside(theirs)}/${target}`);
        expect([target, one.code, tree(ours)]).toEqual([target, other.code, tree(theirs)]);
      }
    },
    PATIENCE,
  );

  test.each(SOURCES)(
    "out of a container: %s onto everything",
    async (source) => {
      const from = sources();
      for (const target of TARGETS) {
        const [ours, theirs] = [targets(), targets()];
        const words = [...flags, `${id}:${inside(from)}/${source}`];
        const one = await cp(BUNKER, ...words, `${ours}/${target}`);
        const other = await cp(DOCKER, ...words, `${theirs}/${target}`);
        expect([target, one.code, tree(ours)]).toEqual([target, other.code, tree(theirs)]);
      }
    },
    PATIENCE,
  );
});

describe("cp", () => {
  test("gives files to root unless their owners are to go along", async () => {
    const [from, to] = [sources(), targets()];
    await chown(`${from}/file`, 1234, 4321);
    chmodSync(`${from}/file`, 0o4751);
    expect((await cp(BUNKER, `${from}/file`, `${id}:${inside(to)}/plain`)).code).toBe(0);
    expect((await cp(BUNKER, "-a", `${from}/file`, `${id}:${inside(to)}/owned`)).code).toBe(0);
    const looks = ["plain", "owned"].map((name) => lstatSync(`${to}/${name}`));
    expect(looks.map(({ uid, gid, mode }) => [uid, gid, mode & 0o7777])).toEqual([
      [0, 0, 0o4751],
      [1234, 4321, 0o4751],
    ]);
    expect((await cp(BUNKER, "-a", `${id}:${inside(to)}/owned`, `${to}/back`)).code).toBe(0);
    expect((await cp(BUNKER, `${id}:${inside(to)}/owned`, `${to}/mine`)).code).toBe(0);
    expect([lstatSync(`${to}/back`).uid, lstatSync(`${to}/mine`).uid]).toEqual([1234, 0]);
  });

  test("passes archives through standard output and input", async () => {
    const [from, to] = [sources(), targets()];
    const environment = { BUNKER_HOST: `unix://${part.daemon.socket}` };
    const reading = Bun.spawn([BUNKER, "cp", `${id}:${inside(from)}/dir`, "-"], {
      env: environment,
      stdout: "pipe",
    });
    const archive = await reading.stdout.bytes();
    expect(await reading.exited).toBe(0);
    const written = await run([BUNKER, "cp", "-", `${id}:${inside(to)}/old-dir`], environment, archive);
    expect(written).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(readFileSync(`${to}/old-dir/dir/sub/two`, "utf8")).toBe("two");
    const refused = await run([BUNKER, "cp", "-", `${id}:${inside(to)}/old-file`], environment, archive);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("must be a directory")]);
  });

  test.each([
    [["a", "b"], "must specify at least one container source"],
    [["x:/a", "y:/b"], "copying between containers is not supported"],
    [["", "y:/b"], "source can not be empty"],
    [["x:/a", ""], "destination can not be empty"],
    [["nobody:/a", "/tmp"], "No such container: nobody"],
    [["/etc/hostname", "nobody:/a"], "No such container: nobody"],
    [["/etc/hostname", "./nobody:/a"], "must specify at least one container source"],
  ])("%j is refused: %s", async (words, reason) => {
    const { code, stderr } = await cp(BUNKER, ...words);
    expect([code, stderr]).toEqual([1, expect.stringContaining(reason)]);
  });

  test("refuses what cannot be, in docker's words", async () => {
    const [from, to] = [sources(), targets()];
    const said = async (...words: readonly string[]) => (await cp(BUNKER, ...words)).stderr;
    expect(await said(`${from}/dir`, `${id}:${inside(to)}/old-file`)).toBe("cannot copy directory\n");
    expect(await said(`${from}/file`, `${id}:${inside(to)}/absent/`)).toBe("no such directory\n");
    expect(await said(`${id}:${inside(from)}/none`, to)).toContain(
      `Could not find the file ${inside(from)}/none in container`,
    );
    expect(await said(`${id}:${inside(from)}/file`, `${to}/no/where`)).toContain("does not exist");
    expect(await said(`${from}/file`, `${id}:/dev/null`)).toContain("got a device");
    mkdirSync(`${to}/old-dir/file`);
    expect(await said(`${from}/file`, `${id}:${inside(to)}/old-dir`)).toContain("cannot overwrite directory");
  });

  test("a container that ends at that moment is looked at all the same", async () => {
    const body = { Image: "busybox", Cmd: ["true"] };
    const { Id: short } = await part.ask<{ Id: string }>("POST", "/containers/create", body);
    for (let round = 0; round < 20; round++) {
      await part.ask("POST", `/containers/${short}/start`);
      const reply = await part.daemon.request("GET", `/containers/${short}/archive?path=/etc/passwd`);
      expect([round, reply.status]).toEqual([round, 200]);
      await part.ask("POST", `/containers/${short}/wait`);
      await part.ask("POST", `/containers/${short}/start`);
      const whole = await part.daemon.request("GET", `/containers/${short}/export`);
      expect([whole.status, (await whole.bytes()).length > 1_000_000]).toEqual([200, true]);
      await part.ask("POST", `/containers/${short}/wait`);
    }
  });

  test("export writes an archive of the root, whole or not at all", async () => {
    const path = `${base}/export.tar`;
    await part.daemon.ok("export", "-o", path, id);
    const { stdout } = await run(["tar", "-tf", path]);
    expect(stdout.split("\n")).toEqual(expect.arrayContaining(["bin/busybox", "etc/passwd", "t/"]));
    expect(stdout).not.toContain("t/s");
    expect((lstatSync(path).mode & 0o777).toString(8)).toBe("600");
    const { code } = await part.daemon.cli("export", "-o", `${base}/none.tar`, "nobody");
    expect([code, existsSync(`${base}/none.tar`)]).toEqual([1, false]);
    expect(readdirSync(base).filter((name) => name.includes(".part"))).toEqual([]);
  });
});
