import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { BUNKER, run as runProgram } from "../fixtures/daemon.ts";
import { type HostPart, PATIENCE, until } from "../fixtures/host-part.ts";
import { type MountHouse, openMountHouse, spawned } from "../fixtures/mount-house.ts";

/** Each form of a bind once, looked at from inside the container and from the host. */

setDefaultTimeout(PATIENCE);
let house: MountHouse;
let part: HostPart;

beforeAll(async () => {
  house = await openMountHouse();
  part = house.part;
}, PATIENCE);
afterAll(() => house?.[Symbol.asyncDispose](), PATIENCE);

const sh = (script: string) => ["sh", "-c", script];

describe("bind-propagation", () => {
  /** What the host sees of a mount in the container, and the container of one on the host. */
  const table = [
    ["private", [false, false]],
    ["rprivate", [false, false]],
    ["slave", [false, true]],
    ["rslave", [false, true]],
    ["shared", [true, true]],
    ["rshared", [true, true]],
  ] as const;
  for (const [at, [word, expected]] of table.entries())
    test(`${word} lets ${expected[0] ? "out and " : ""}${expected[1] ? "in" : "nothing through"}`, async () => {
      const shared = `${house.directory}/shared`;
      for (const name of ["in", "out"]) mkdirSync(`${shared}/${name}`, { recursive: true });
      // Every other one by the other flag.
      const mount = { Type: "bind", Source: shared, Target: "/mnt", BindOptions: { Propagation: word } };
      const host = at % 2 === 0 ? { Mounts: [mount] } : { Binds: [`${shared}:/mnt:${word}`] };
      const script = "mount -t tmpfs none /mnt/out && touch /mnt/out/x; sleep 600";
      const { id, pid } = await part.start(sh(script), {
        ...host,
        CapAdd: ["SYS_ADMIN"],
        SecurityOpt: ["apparmor=unconfined"],
      });
      const inside = `/proc/${pid}/root/mnt`;
      await until(
        () => existsSync(`${inside}/out/x`),
        (isThere) => isThere,
      );
      spawned("mount", "-t", "tmpfs", "none", `${shared}/in`);
      writeFileSync(`${shared}/in/y`, "");
      const seen = [existsSync(`${shared}/out/x`), existsSync(`${inside}/in/y`)];
      spawned("umount", `${shared}/in`);
      await part.remove(id);
      Bun.spawnSync(["umount", `${shared}/out`]);
      expect(seen).toEqual([...expected]);
    });

  test("is refused where the host's mount cannot have it", async () => {
    const path = house.folder();
    expect(await house.refused("-v", `${path}:/x:rshared`)).toContain(
      `path ${path} is mounted on ${house.directory} but it is not a shared mount`,
    );
    expect(await house.refused("--mount", `type=bind,src=${path},dst=/x,bind-propagation=slave`)).toContain(
      `path ${path} is mounted on ${house.directory} but it is not a shared or slave mount`,
    );
  });

  test("follows the host where the engine's own folder is in the bind, and nobody says otherwise", async () => {
    const root = part.daemon.root;
    expect(await house.run(["-v", `${root}:/x`], "ls -d /x/data")).toBe("/x/data");
    expect(await house.refused("-v", `${root}:/x:rprivate`)).toContain(
      'must use either propagation mode "rslave" or "rshared"',
    );
  });
});

describe("bind-recursive", () => {
  const script =
    "cat /x/inner/deep 2>/dev/null; touch /x/inner/new 2>/dev/null && echo written; touch /x/new 2>/dev/null && echo on top; true";
  test.each([
    ["enabled,readonly", "deep"],
    // The folder that the other mount covers.
    ["disabled", "written\non top"],
    ["disabled,readonly", ""],
    ["writable,readonly", "deep\nwritten"],
    ["readonly,readonly,bind-propagation=rprivate", "deep"],
    ["enabled", "deep\nwritten\non top"],
  ])("=%s", async (words, expected) => {
    const source = `${house.directory}/outer`;
    const seen = await house.run(
      ["--mount", `type=bind,src=${source},dst=/x,bind-recursive=${words}`],
      script,
    );
    expect(seen).toBe(expected);
  });

  test("ro of -v is read-only below as well", async () => {
    expect(await house.run(["-v", `${house.directory}/outer:/x:ro`], script)).toBe("deep");
  });
});

describe("binds", () => {
  test("bind-create-src makes the folder that is missing", async () => {
    const source = `${house.directory}/new/source`;
    expect(
      await house.run(["--mount", `type=bind,src=${source},dst=/x,bind-create-src`], "ls -a /x | wc -l"),
    ).toBe("2");
    expect(statSync(source).isDirectory()).toBe(true);
  });

  test("z, Z, cached, delegated and consistent change nothing", async () => {
    const path = house.folder();
    for (const mode of ["z", "Z,ro", "cached", "delegated,rw", "consistent"])
      expect(await house.run(["-v", `${path}:/x:${mode}`], "cat /x/file")).toBe("of the host");
    expect(
      await house.run(["--mount", `type=bind,src=${path},dst=/x,consistency=delegated`], "cat /x/file"),
    ).toBe("of the host");
  });

  test("O keeps what is written to one life, and the source as it is", async () => {
    const path = house.folder();
    const { daemon } = part;
    const script = "ls /x; cat /x/file; echo new > /x/file; touch /x/made; rm -f /x/gone; cat /x/file";
    await daemon.ok("create", "--name", "over", "-v", `${path}:/x:O`, "busybox", ...sh(script));
    for (let life = 0; life < 2; life++)
      expect(await daemon.ok("start", "-a", "over")).toBe("file\nof the host\nnew");
    expect(readdirSync(path)).toEqual(["file"]);
    expect(readFileSync(`${path}/file`, "utf8")).toBe("of the host\n");
    await daemon.ok("rm", "over");
  });

  test("of a folder onto a file, or the reverse, say so", async () => {
    const path = house.folder();
    expect(await house.refused("-v", `${path}:/etc/passwd`)).toMatch(
      /[Aa]re you trying to mount a directory onto a file/,
    );
    expect(await house.refused("-v", `${path}/file:/etc`)).toMatch(
      /[Aa]re you trying to mount a directory onto a file/,
    );
  });

  test.each([
    ["-v", "/tmp:/", "destination can't be '/'"],
    ["-v", "/tmp:/a/../..", "destination can't be '/'"],
    ["-v", "/tmp:rel", "mount path must be absolute"],
    ["-v", "/tmp:/x:bogus", "invalid mode: bogus"],
    ["--mount", "type=npipe,src=/x,dst=/y", 'invalid mount config for type "npipe": mount type unknown'],
    ["--mount", "type=cluster,src=x,dst=/y", 'invalid mount config for type "cluster": mount type unknown'],
    ["--tmpfs", "/x:huge=always", 'invalid tmpfs option ["huge" "always"]'],
    ["--tmpfs", "rel", "mount path must be absolute"],
    ["--volumes-from", "nobody", "No such container: nobody"],
  ])("%s %s is refused", async (flag, value, words) => {
    expect(await house.refused(flag, value)).toContain(words);
  });
});

describe("idmap", () => {
  let count = 0;

  /** A folder of the user 1000 and group 100, on disk: tmpfs can map owners from Linux 6.3 on only. */
  function ofAnn(): string {
    const path = `${part.daemon.root}/ann${count++}`;
    mkdirSync(path);
    writeFileSync(`${path}/file`, "of the host\n");
    for (const name of [path, `${path}/file`]) chownSync(name, 1000, 100);
    return path;
  }
  const script = "stat -c %u:%g /x/file && touch /x/made && mkdir /x/sub && chown 0:0 /x/made && cat /x/file";
  const owners = "uids=1000-0-1;gids=100-0-1";

  test.each([
    ["-v of owners", (path: string) => ["-v", `${path}:/x:idmap=${owners}`]],
    ["--mount of owners", (path: string) => ["--mount", `type=bind,src=${path},dst=/x,idmap=${owners}`]],
    [
      "--mount of the source's owner",
      (path: string) => ["--mount", `type=bind,src=${path},dst=/x,bind-idmap`],
    ],
  ])("%s: the container's root makes files of that user", async (_title, words) => {
    const path = ofAnn();
    expect(await house.run(words(path), script)).toBe("0:0\nof the host");
    for (const name of ["made", "sub"]) {
      const { uid, gid } = statSync(`${path}/${name}`);
      expect([uid, gid]).toEqual([1000, 100]);
    }
  });

  test("of a user by number: that one is the owner", async () => {
    const path = ofAnn();
    const mount = ["--user", "33:44", "--mount", `type=bind,src=${path},dst=/x,bind-idmap`];
    expect(await house.run(mount, "stat -c %u:%g /x/file; touch /x/made")).toBe("33:44");
    expect(statSync(`${path}/made`).uid).toBe(1000);
  });

  test("alone means who runs the client", async () => {
    const path = ofAnn();
    // The engine's socket is opened to a user who is not root, as a group would.
    for (const [name, mode] of [
      [part.daemon.root, 0o711],
      [part.daemon.execRoot, 0o711],
      [part.daemon.socket, 0o666],
    ] as const)
      chmodSync(name, mode);
    const as = ["setpriv", "--reuid=1000", "--regid=100", "--clear-groups"];
    const mount = ["--mount", `type=bind,src=${path},dst=/x,idmap`];
    const command = [...as, BUNKER, "run", "--rm", "--network", "none", ...mount, "busybox", ...sh(script)];
    const { code, stdout, stderr } = await runProgram(command, {
      BUNKER_HOST: `unix://${part.daemon.socket}`,
      HOME: "/nonexistent",
    });
    expect([code, stdout, stderr]).toEqual([0, "0:0\nof the host\n", ""]);
    expect(statSync(`${path}/made`).uid).toBe(1000);
  });

  test("says so where the file system cannot", async () => {
    expect(await house.refused("-v", `/proc/sys:/x:idmap=${owners}`)).toContain(
      "Cannot map the owners of /proc/sys (idmap): its file system cannot do that",
    );
    expect(await house.refused("-v", "/tmp:/x:idmap=uids=0-0-0")).toContain("the range 0-0-0 is empty");
  });
});
test("nothing of a container's mounts shows on the host", () => {
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(part.daemon.root);
});
