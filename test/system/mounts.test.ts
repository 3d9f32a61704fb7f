import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";

let part: HostPart;
let directory: string;
let count = 0;

beforeAll(async () => {
  directory = await mkdtemp(`${tmpdir()}/mounts-`);
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
}, PATIENCE);

const sh = (script: string) => ["sh", "-c", script];

/** A folder of the host with one file. */
function folder(content = "of the host\n"): string {
  const path = `${directory}/f${count++}`;
  mkdirSync(path);
  writeFileSync(`${path}/file`, content);
  return path;
}

/** What the client prints for these words, to be run in busybox. */
async function run(words: readonly string[], script: string): Promise<string> {
  return part.daemon.ok("run", "--rm", ...words, "busybox", ...sh(script));
}

async function volumes(): Promise<string[]> {
  return (await part.daemon.json<{ Volumes: { Name: string }[] }>("/volumes")).Volumes.map(
    ({ Name }) => Name,
  );
}

describe("binds", () => {
  test("of folders and files are there, writable or not", async () => {
    const path = folder();
    expect(await run(["-v", `${path}:/data`], "cat /data/file; echo x > /data/new")).toBe("of the host");
    expect(readFileSync(`${path}/new`, "utf8")).toBe("x\n");
    expect(await run(["-v", `${path}:/data:ro`], "cat /data/file; touch /data/no 2>&1; true")).toMatch(
      /of the host\n.*Read-only/,
    );
    expect(
      await run(["-v", `${path}/file:/etc/motd:ro`], "cat /etc/motd; echo > /etc/motd || echo refused"),
    ).toContain("refused");
    expect(
      await run(
        ["--mount", `type=bind,src=${path},dst=/data,readonly`],
        "cat /data/file; touch /data/no || echo refused",
      ),
    ).toContain("refused");
    expect(readdirSync(path).sort()).toEqual(["file", "new"]);
  });

  test("of what is not there: -v makes a folder, --mount refuses", async () => {
    const path = `${directory}/made/deep`;
    expect(await run(["-v", `${path}:/data`], "ls -a /data | wc -l")).toBe("2");
    expect(statSync(path).isDirectory()).toBe(true);
    const refused = await part.daemon.cli(
      "run",
      "--rm",
      "--mount",
      `type=bind,src=${directory}/never,dst=/d`,
      "busybox",
      "true",
    );
    expect([refused.code, refused.stderr]).toEqual([
      125,
      expect.stringContaining("bind source path does not exist"),
    ]);
    expect(existsSync(`${directory}/never`)).toBe(false);
  });

  test("are made from the outside in, in whatever order they are named", async () => {
    const [outer, inner] = [folder("outer\n"), folder("inner\n")];
    const words = ["-v", `${inner}:/data/a/b`, "--tmpfs", "/data/a", "-v", `${outer}:/data`];
    expect(await run(words, "cat /data/file /data/a/b/file; ls /data/a")).toBe("outer\ninner\nb");
  });
});

describe("tmpfs", () => {
  test("is empty, bounded and has its options", async () => {
    const line = await run(
      ["--tmpfs", "/scratch:size=1m,mode=1770"],
      "grep ' /scratch ' /proc/self/mounts; stat -c %a /scratch; head -c 2000000 /dev/zero > /scratch/x || echo full",
    );
    expect(line).toMatch(/^tmpfs \/scratch tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=1770/);
    expect(line).toMatch(/1770\nfull$/);
    const mounted = await run(
      ["--mount", "type=tmpfs,dst=/scratch,tmpfs-size=65536"],
      "grep ' /scratch ' /proc/self/mounts",
    );
    expect(mounted).toMatch(/noexec,relatime,size=64k/);
  });

  test("and volumes stay writable over a read-only root", async () => {
    const script =
      "touch /x 2>/dev/null || echo refused; touch /scratch/x /data/x /dev/shm/x && echo written";
    expect(await run(["--read-only", "--tmpfs", "/scratch", "-v", "/data"], script)).toBe("refused\nwritten");
  });
});

describe("volumes", () => {
  test("take over what the image has there, with owner, mode and content, once", async () => {
    await part.daemon.ok("volume", "create", "up");
    const script = "stat -c '%a %u:%g' /tmp /var/spool; ls /etc/passwd";
    expect(await run(["-v", "up:/tmp", "-v", "spool:/etc"], script)).toBe("1777 0:0\n755 0:0\n/etc/passwd");
    expect(
      await run(
        ["-v", "spool:/other"],
        "cat /other/shadow | head -1; stat -c %a /other/shadow; rm /other/shadow",
      ),
    ).toBe("root:*:::::::\n640");
    expect(await run(["-v", "spool:/etc"], "ls /etc/shadow 2>&1; echo end")).toMatch(/No such file.*\nend$/);
    expect(await run(["-v", "empty:/etc:nocopy"], "ls /etc/passwd 2>&1; true")).toContain("No such file");
    expect(
      await run(["--mount", "type=volume,src=m1,dst=/etc,volume-nocopy"], "ls /etc/passwd 2>&1; true"),
    ).toContain("No such file");
    expect(
      await run(["--mount", "type=volume,src=spool,dst=/m,readonly"], "touch /m/x 2>&1; true"),
    ).toContain("Read-only");
    await part.daemon.ok("volume", "rm", "up", "spool", "empty", "m1");
  });

  test("without a name go with --rm, and with rm -v; those with one stay", async () => {
    const before = await volumes();
    await run(["-v", "/anonymous", "-v", "named:/named"], "touch /anonymous/x /named/x");
    expect((await volumes()).filter((name) => !before.includes(name))).toEqual(["named"]);
    await part.daemon.ok("run", "--name", "keeper", "-v", "/anonymous", "busybox", "true");
    expect((await volumes()).length).toBe(before.length + 2);
    await part.daemon.ok("rm", "-v", "keeper");
    expect((await volumes()).length).toBe(before.length + 1);
    await part.daemon.ok("volume", "rm", "named");
  });

  test("come from another container with --volumes-from, read-only when asked", async () => {
    const path = folder();
    await part.daemon.ok(
      "run",
      "-d",
      "--name",
      "donor",
      "-v",
      `${path}:/bound`,
      "-v",
      "/own",
      "busybox",
      ...sh("echo x > /own/x; sleep 600"),
    );
    await until(
      async () => part.daemon.ok("exec", "donor", "ls", "/own"),
      (names) => names === "x",
    );
    expect(await run(["--volumes-from", "donor"], "cat /own/x /bound/file; touch /own/y")).toBe(
      "x\nof the host",
    );
    expect(await run(["--volumes-from", "donor:ro"], "ls /own; touch /own/z || echo refused")).toBe(
      "x\ny\nrefused",
    );
    await part.daemon.ok("rm", "-f", "-v", "donor");
  });

  test("in use cannot be removed", async () => {
    await part.daemon.ok("run", "-d", "--name", "user", "-v", "used:/d", "busybox", "sleep", "600");
    expect(await part.daemon.cli("volume", "rm", "used")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("volume is in use"),
    });
    await part.daemon.ok("rm", "-f", "user");
    await part.daemon.ok("volume", "rm", "used");
  });
});

describe("destinations", () => {
  /** A container that is made and not started, whose writable layer a hostile image has filled. */
  async function hostile(
    fill: (root: string) => void,
    host: object,
    cmd = ["true"],
  ): Promise<{ id: string; root: string }> {
    const { Id: id } = await part.ask<{ Id: string }>("POST", "/containers/create", {
      Image: "busybox",
      Cmd: cmd,
      HostConfig: host,
    });
    const root = `${part.daemon.dataRoot}/overlay2/${id}/diff`;
    fill(root);
    return { id, root };
  }

  test.each([
    ["an absolute link", (root: string, canary: string) => symlinkSync(canary, `${root}/data`)],
    ["a link that climbs", (root: string) => symlinkSync(`${"../".repeat(20)}tmp`, `${root}/data`)],
    ["a link to /proc/1/root", (root: string) => symlinkSync("/proc/1/root", `${root}/data`)],
  ])("A7, A9: that are %s stay inside", async (_what, fill) => {
    const canary = folder();
    const before = readFileSync("/proc/self/mountinfo", "utf8");
    const { id } = await hostile((root) => fill(root, canary), {
      Binds: [`${folder()}:/data/deep`],
      Tmpfs: { "/data/tmp": "" },
    });
    const reply = await part.daemon.request("POST", `/containers/${id}/start`);
    if (reply.ok) await part.ask("POST", `/containers/${id}/wait`);
    await part.remove(id);
    expect(readdirSync(canary)).toEqual(["file"]);
    expect(readdirSync("/tmp").includes("deep")).toBe(false);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
  });

  test("with .. are what they mean", async () => {
    const path = folder();
    expect(await run(["-v", `${path}:/etc/../data/./x/..`], "cat /data/file")).toBe("of the host");
  });

  test(
    "A7: exchanged with a link by another container meanwhile lead nowhere outside",
    async () => {
      const canary = folder();
      const [shared, source] = [folder(), folder()];
      mkdirSync(`${shared}/a`);
      symlinkSync(canary, `${shared}/b`);
      const swap =
        "cd /s; while :; do mv -T a c; mv -T b a; mv -T c b; mv -T a c; mv -T b a; mv -T c b; done 2>/dev/null";
      const swapper = await part.start(sh(swap), { Binds: [`${shared}:/s`] });
      const before = readFileSync("/proc/self/mountinfo", "utf8");
      for (let round = 0; round < 25; round++) {
        const { Id: id } = await part.ask<{ Id: string }>("POST", "/containers/create", {
          Image: "busybox",
          Cmd: ["true"],
          HostConfig: { Binds: [`${shared}:/s`, `${source}:/s/a/deep`] },
        });
        await (await part.daemon.request("POST", `/containers/${id}/start`)).text();
        await part.remove(id);
      }
      await part.remove(swapper.id);
      expect(readdirSync(canary)).toEqual(["file"]);
      expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
    },
    PATIENCE,
  );
});

describe("shared memory", () => {
  test("is one place for containers that share their IPC namespace, and has its size", async () => {
    await part.daemon.ok(
      "run",
      "-d",
      "--name",
      "sharer",
      "--ipc",
      "shareable",
      "--shm-size",
      "1m",
      "busybox",
      ...sh("echo shared > /dev/shm/x; sleep 600"),
    );
    await until(
      () => part.daemon.cli("exec", "sharer", "cat", "/dev/shm/x"),
      ({ code }) => code === 0,
    );
    const words = ["--ipc", "container:sharer"];
    expect(
      await run(words, "cat /dev/shm/x; df -k /dev/shm | tail -1 | awk '{print $2}'; echo y > /dev/shm/y"),
    ).toBe("shared\n1024");
    expect(await part.daemon.ok("exec", "sharer", "cat", "/dev/shm/y")).toBe("y");
    expect(await run([], "ls /dev/shm")).toBe("");
    await part.daemon.ok("rm", "-f", "sharer");
  });
});
