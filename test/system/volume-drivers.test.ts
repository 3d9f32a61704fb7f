import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { mountsBelow } from "#host";
import { run } from "../fixtures/daemon.ts";
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

const create = (name: string, options: Record<string, string>) =>
  part.ask("POST", "/volumes/create", { Name: name, DriverOpts: options });
const dataOf = (name: string) => `${part.daemon.dataRoot}/volumes/${name}/_data`;
const isMounted = (name: string) => mountsBelow(`${part.daemon.dataRoot}/volumes`).includes(dataOf(name));
const using = (name: string) => part.start(IDLE, { Binds: [`${name}:/v`] });
const inside = (id: string, script: string) => part.daemon.ok("exec", id, "sh", "-c", script);
const end = (...ids: string[]) => part.daemon.ok("rm", "-f", "-v", ...ids);

describe("a volume that is a mount", () => {
  test("of a tmpfs is mounted for the first container and unmounted after the last", async () => {
    await create("memory", { type: "tmpfs", device: "tmpfs", o: "size=1m,mode=1770" });
    expect(isMounted("memory")).toBe(false);
    const [one, two] = [await using("memory"), await using("memory")];
    expect(isMounted("memory")).toBe(true);
    expect(await inside(one.id, "stat -c %a /v; echo shared >/v/f; df -k /v | tail -1")).toMatch(
      /1770\ntmpfs +1024/,
    );
    expect(await inside(two.id, "cat /v/f")).toBe("shared");
    await end(one.id);
    expect([isMounted("memory"), await inside(two.id, "cat /v/f")]).toEqual([true, "shared"]);
    await end(two.id);
    expect(isMounted("memory")).toBe(false);
  });

  test("of a folder shows that folder, also read-only", async () => {
    mkdirSync(`${directory}/shown`);
    writeFileSync(`${directory}/shown/file`, "host");
    await create("bound", { type: "none", device: `${directory}/shown`, o: "bind" });
    await create("locked", { type: "none", device: `${directory}/shown`, o: "bind,ro" });
    const one = await using("bound");
    expect(await inside(one.id, "cat /v/file; echo new >/v/new")).toBe("host");
    expect(readFileSync(`${directory}/shown/new`, "utf8")).toBe("new\n");
    const two = await using("locked");
    expect(await inside(two.id, "touch /v/no 2>&1 || true")).toContain("Read-only file system");
    await end(one.id, two.id);
    await part.daemon.ok("volume", "rm", "bound", "locked");
    expect(readFileSync(`${directory}/shown/file`, "utf8")).toBe("host");
  });

  test("of a file system in a file keeps its content", async () => {
    const image = `${directory}/disk.img`;
    writeFileSync(image, "");
    await run(["truncate", "--size", "16M", image]);
    expect((await run(["mkfs.ext4", "-q", image])).code).toBe(0);
    await create("disk", { type: "ext4", device: image });
    const one = await using("disk");
    await inside(one.id, "echo kept >/v/f");
    await end(one.id);
    expect(isMounted("disk")).toBe(false);
    const two = await using("disk");
    expect(await inside(two.id, "cat /v/f")).toBe("kept");
    await end(two.id);
    expect((await run(["losetup", "--associated", image])).stdout).toBe("");
  });

  test("outlives a daemon that is killed, and is let go of when its last container has ended meanwhile", async () => {
    await create("through", { type: "tmpfs", device: "tmpfs" });
    const [stays, goes] = [await using("through"), await using("memory")];
    await inside(stays.id, "echo kept >/v/f");
    await part.daemon.kill();
    process.kill(goes.pid, "SIGKILL");
    await part.daemon.start();
    expect([isMounted("through"), isMounted("memory")]).toEqual([true, false]);
    expect(await inside(stays.id, "cat /v/f")).toBe("kept");
    expect((await part.daemon.cli("volume", "rm", "through")).stderr).toContain(stays.id);
    await end(stays.id, goes.id);
    expect(isMounted("through")).toBe(false);
  });

  test("gets the image's content when it has none, each time it is mounted empty", async () => {
    await create("copied", { type: "tmpfs", device: "tmpfs" });
    for (let time = 0; time < 2; time++)
      expect(await part.daemon.ok("run", "--rm", "-v", "copied:/etc", "busybox", "ls", "/etc/passwd")).toBe(
        "/etc/passwd",
      );
    expect(isMounted("copied")).toBe(false);
  });

  test.each([
    [{ type: "none", device: "/does/not/exist", o: "bind" }, "no such file or directory"],
    [{ type: "nosuchfs", device: "x" }, "failed to mount local volume: mount x:"],
    [
      { type: "nfs", device: ":/x", o: "addr=127.0.0.1,nfsvers=4,timeo=1,retrans=0" },
      "failed to mount local volume",
    ],
    [
      { type: "nfs", device: ":/x", o: "addr=no.such.host.invalid" },
      "error resolving passed in network volume address",
    ],
    [{ type: "ext4", device: "/etc/passwd" }, "failed to mount local volume"],
  ])(
    "%j that cannot be mounted keeps a container from starting, and leaves nothing",
    async (options, sentence) => {
      await create("broken", options);
      const { Id } = await part.ask<{ Id: string }>("POST", "/containers/create", {
        Image: "busybox",
        HostConfig: { Binds: ["broken:/v"] },
      });
      const { code, stderr } = await part.daemon.cli("start", Id);
      expect([code, stderr]).toEqual([1, expect.stringContaining(sentence)]);
      expect(isMounted("broken")).toBe(false);
      await end(Id);
      await part.daemon.ok("volume", "rm", "broken");
    },
    PATIENCE,
  );
});

test("a size limit is refused where the file system keeps none, in Docker's words", async () => {
  const { stderr } = await part.daemon.cli("volume", "create", "-o", "size=10m", "limited");
  expect(stderr).toContain("quota size requested but no quota support");
  expect((await part.daemon.cli("volume", "inspect", "limited")).code).toBe(1);
});

test("other options for a volume that is there are a conflict, none are not", async () => {
  await create("optional", { type: "tmpfs", device: "tmpfs" });
  await create("optional", { type: "tmpfs", device: "tmpfs" });
  await create("optional", {});
  const reply = await part.daemon.request("POST", "/volumes/create", {
    Name: "optional",
    DriverOpts: { type: "none", device: "/", o: "bind" },
  });
  expect([reply.status, await reply.text()]).toEqual([
    409,
    expect.stringContaining("already exists with other options"),
  ]);
});
