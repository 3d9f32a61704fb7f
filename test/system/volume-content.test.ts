import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { getAttribute, setAttribute, unmount } from "#host";
import { BUNKER, run, TestDaemon } from "../fixtures/daemon.ts";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";

const IDLE = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1 & wait; done"];
let part: HostPart;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(`${tmpdir()}/volumes-`);
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
}, PATIENCE);

const folderOf = (name: string) => `${part.daemon.dataRoot}/volumes/${name}`;
const text = (name: string, file: string) => readFileSync(`${folderOf(name)}/_data/${file}`, "utf8");
const volume = (...words: string[]) => part.daemon.ok("volume", ...words);
const refused = async (...words: string[]) => (await part.daemon.cli("volume", ...words)).stderr;
const shell = (name: string, script: string) =>
  part.daemon.ok("run", "--rm", "-v", `${name}:/v`, "busybox", "sh", "-c", script);

/** A volume with a little of everything. */
async function filled(name: string): Promise<void> {
  await volume("create", name);
  await shell(
    name,
    "echo one >/v/f; chown 7:8 /v/f; chmod 4711 /v/f; ln /v/f /v/g; mkdir -m 700 /v/d; ln -s f /v/l; chown 9:9 /v; chmod 750 /v",
  );
  setAttribute(`${folderOf(name)}/_data/f`, "user.note", Buffer.from("kept"));
}

/** What is different from how `filled` made it. */
function looks(name: string) {
  const at = (path: string) => lstatSync(`${folderOf(name)}/_data${path}`);
  return {
    file: [text(name, "f"), at("/f").uid, at("/f").gid, at("/f").mode.toString(8)],
    linked: at("/f").ino === at("/g").ino,
    folder: at("/d").mode.toString(8),
    top: [at("").uid, at("").gid, at("").mode.toString(8)],
    note: Buffer.from(getAttribute(`${folderOf(name)}/_data/f`, "user.note") ?? []).toString(),
  };
}

const AS_FILLED = {
  file: ["one\n", 7, 8, "104711"],
  linked: true,
  folder: "40700",
  top: [9, 9, "40750"],
  note: "kept",
};

describe("a volume's content", () => {
  test("goes out as an archive and comes back in another volume as it was", async () => {
    await filled("source");
    await volume("export", "-o", `${directory}/source.tar`, "source");
    await volume("create", "target");
    await shell("target", "echo old >/v/old");
    await volume("import", "target", `${directory}/source.tar`);
    expect(looks("target")).toEqual(AS_FILLED);
    expect(readdirSync(`${folderOf("target")}/_data`).sort()).toEqual(["d", "f", "g", "l"]);
    expect(readdirSync(folderOf("target"))).toEqual(["_data"]);
  });

  test("comes from standard input, compressed too", async () => {
    await volume("create", "piped");
    mkdirSync(`${directory}/in`);
    writeFileSync(`${directory}/in/file`, "piped");
    const packed = await Bun.spawn(["tar", "-C", `${directory}/in`, "-cz", "."], {
      stdout: "pipe",
    }).stdout.bytes();
    const child = Bun.spawn([BUNKER, "volume", "import", "piped", "-"], {
      stdin: packed,
      stdout: "pipe",
      stderr: "pipe",
      env: { BUNKER_HOST: `unix://${part.daemon.socket}` },
    });
    expect([await child.exited, await child.stderr.text()]).toEqual([0, ""]);
    expect(text("piped", "file")).toBe("piped");
  });

  test("stays as it was when an archive is damaged, or reaches out", async () => {
    await filled("safe");
    writeFileSync(`${directory}/bad.tar`, "x".repeat(2048));
    expect(await refused("import", "safe", `${directory}/bad.tar`)).toContain("Cannot");
    await run([
      "tar",
      "-C",
      directory,
      "-P",
      "--transform",
      "s,^.*,../escaped,",
      "-cf",
      `${directory}/out.tar`,
      "bad.tar",
    ]);
    expect(await refused("import", "safe", `${directory}/out.tar`)).toContain("leads out of the archive");
    expect(await refused("import", "safe", `${directory}/none.tar`)).toContain("Cannot read");
    await run(["tar", "-C", directory, "-cf", `${directory}/whole.tar`, "bad.tar", "out.tar"]);
    // Behind the first entry: a header and 2048 bytes.
    writeFileSync(`${directory}/part.tar`, readFileSync(`${directory}/whole.tar`).subarray(0, 512 + 2048));
    writeFileSync(`${directory}/empty.tar`, "");
    for (const name of ["part", "empty"])
      expect(await refused("import", "safe", `${directory}/${name}.tar`)).toContain("it is cut off");
    expect(await refused("import", "nothing", `${directory}/bad.tar`)).toContain(
      "get nothing: no such volume",
    );
    expect(looks("safe")).toEqual(AS_FILLED);
    expect(readdirSync(folderOf("safe"))).toEqual(["_data"]);
  });

  test("is cloned with labels, kept and restored", async () => {
    await filled("origin");
    expect(await volume("clone", "origin", "twin")).toBe("twin");
    expect(looks("twin")).toEqual(AS_FILLED);
    expect(await refused("clone", "origin", "twin")).toContain("already exists");
    expect(await volume("snapshot", "create", "origin", "first")).toBe("first");
    expect(await refused("snapshot", "create", "origin", "first")).toContain(
      "There is a snapshot named first already",
    );
    await shell("origin", "rm -r /v/*; echo changed >/v/f");
    await volume("restore", "origin", "first");
    expect(looks("origin")).toEqual(AS_FILLED);
    expect(await volume("snapshot", "ls", "-q", "origin")).toBe("first");
    await volume("snapshot", "rm", "origin", "first");
    expect(await volume("snapshot", "ls", "-q", "origin")).toBe("");
    expect(await refused("restore", "origin", "first")).toContain(
      "No such snapshot of the volume origin: first",
    );
    await volume("rm", "origin");
    expect(existsSync(folderOf("origin"))).toBe(false);
  });

  test("is not read while a container may write it, unless asked for, and never replaced under one", async () => {
    await filled("busy");
    await volume("snapshot", "create", "busy", "before");
    const { id } = await part.start(IDLE, { Binds: ["busy:/v"] });
    for (const words of [["export"], ["clone"], ["snapshot", "create"]])
      expect(await refused(...words, "busy", ...(words[0] === "clone" ? ["other"] : []))).toContain(
        "Cannot read the volume busy while it may change",
      );
    expect(await refused("restore", "busy", "before")).toContain("it is in use by");
    await volume("clone", "--live", "busy", "other");
    expect(looks("other")).toEqual(AS_FILLED);
    await part.daemon.ok("rm", "-f", id);
    const reader = await part.start(IDLE, { Binds: ["busy:/v:ro"] });
    await volume("snapshot", "create", "busy", "beside-a-reader");
    await part.daemon.ok("rm", "-f", reader.id);
  });

  test("of a mount is exported and cloned, and cannot be replaced", async () => {
    await volume("create", "-o", "type=none", "-o", "o=bind", "-o", `device=${directory}/in`, "bound");
    await volume("clone", "bound", "of-bound");
    expect(text("of-bound", "file")).toBe("piped");
    expect(await refused("snapshot", "create", "bound", "s1")).toContain("not a folder of this engine's own");
  });
});

describe("an end of the daemon in the middle (E14)", () => {
  const MANY = 4000;

  /** Until something is being made beside the volume's content, or the command that does so has ended. */
  async function isMaking(name: string, command: Promise<unknown>): Promise<void> {
    let hasEnded = false;
    void command.then(() => (hasEnded = true));
    const isThere = () =>
      existsSync(folderOf(name)) && readdirSync(folderOf(name)).some((one) => one.startsWith(".making-"));
    while (!hasEnded && !isThere()) await Bun.sleep(1);
  }
  const restart = async () => {
    await part.daemon.kill();
    await part.daemon.start();
  };

  beforeAll(async () => {
    await filled("large");
    await shell("large", `i=0; while [ $i -lt ${MANY} ]; do echo $i >/v/d/$i; i=$((i+1)); done`);
    await volume("snapshot", "create", "large", "whole");
  }, PATIENCE);

  test(
    "of an import leaves the content as it was",
    async () => {
      const started = Promise.withResolvers<void>();
      const stalled = (async function* () {
        yield new Uint8Array(512).fill(0);
        started.resolve();
        await Bun.sleep(PATIENCE);
      })();
      const importing = fetch("http://bunker/bunker/volumes/large/import", {
        unix: part.daemon.socket,
        method: "POST",
        body: stalled as unknown as ReadableStream,
      }).catch(() => undefined);
      await started.promise;
      await isMaking("large", importing);
      await restart();
      await importing;
      expect(looks("large")).toEqual(AS_FILLED);
      expect(readdirSync(folderOf("large")).sort()).toEqual(["_data", "snapshots"]);
    },
    PATIENCE,
  );

  test(
    "of a restore leaves the old content or the new one, whole",
    async () => {
      await shell("large", "echo changed >/v/f");
      const restoring = part.daemon.cli("volume", "restore", "large", "whole");
      await isMaking("large", restoring);
      await restart();
      expect((await restoring).code).toBe(1);
      expect(["changed\n", "one\n"]).toContain(text("large", "f"));
      expect(readdirSync(`${folderOf("large")}/_data/d`).length).toBe(MANY);
      expect(readdirSync(folderOf("large")).sort()).toEqual(["_data", "snapshots"]);
      await volume("restore", "large", "whole");
      expect(looks("large")).toEqual(AS_FILLED);
    },
    PATIENCE,
  );

  test(
    "of a clone leaves no volume, and of a snapshot none",
    async () => {
      const cloning = part.daemon.cli("volume", "clone", "large", "half");
      await isMaking("half", cloning);
      await restart();
      expect((await cloning).code).toBe(1);
      expect(await refused("inspect", "half")).toContain("no such volume");
      expect(existsSync(folderOf("half"))).toBe(false);
      const keeping = part.daemon.cli("volume", "snapshot", "create", "large", "half");
      await isMaking("large", keeping);
      await restart();
      expect((await keeping).code).toBe(1);
      expect(await volume("snapshot", "ls", "-q", "large")).toBe("whole");
      expect(readdirSync(folderOf("large")).sort()).toEqual(["_data", "snapshots"]);
    },
    PATIENCE,
  );

  test(
    "of a copy-up leaves the volume empty or whole, and the next start makes it whole",
    async () => {
      const image = (await part.daemon.ok("run", "--rm", "busybox", "ls", "/bin")).split("\n").length;
      for (let round = 0; round < 5; round++) {
        const name = `up${round}`;
        await volume("create", name);
        const starting = part.daemon.cli("run", "--rm", "-v", `${name}:/bin`, "busybox", "true");
        await isMaking(name, starting);
        await restart();
        await starting;
        expect([0, image]).toContain(readdirSync(`${folderOf(name)}/_data`).length);
        await part.daemon.ok("run", "--rm", "-v", `${name}:/bin`, "busybox", "true");
        expect(readdirSync(`${folderOf(name)}/_data`).length).toBe(image);
      }
    },
    PATIENCE,
  );
});

test(
  "blocks are shared where the file system can",
  async () => {
    const image = `${directory}/xfs.img`;
    const disk = `${directory}/xfs`;
    await run(["truncate", "--size", "400M", image]);
    expect((await run(["mkfs.xfs", "-q", "-m", "reflink=1", image])).code).toBe(0);
    mkdirSync(disk);
    expect((await run(["mount", "-o", "loop", image, disk])).code).toBe(0);
    try {
      await using daemon = await TestDaemon.start({ directory: disk });
      await daemon.ok("volume", "create", "big");
      const path = `${daemon.dataRoot}/volumes/big/_data/file`;
      writeFileSync(path, Buffer.alloc(200 * 1024 * 1024, "x"));
      // Twice of it would not fit.
      await daemon.ok("volume", "clone", "big", "twin");
      await daemon.ok("volume", "snapshot", "create", "big", "s1");
      writeFileSync(path, "changed");
      await daemon.ok("volume", "restore", "big", "s1");
      expect(lstatSync(path).size).toBe(200 * 1024 * 1024);
    } finally {
      unmount(disk);
    }
  },
  PATIENCE,
);
