import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Outcome, run } from "../fixtures/daemon.ts";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";

const IDLE = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1 & wait; done"];
const DOCKER = ["/usr/bin/docker", "/usr/local/bin/docker"].find((path) => existsSync(path));
let part: HostPart;

beforeAll(async () => {
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

const volume = (...words: string[]) => part.daemon.ok("volume", ...words);
const names = async (...filters: string[]) =>
  (await volume("ls", "-q", ...filters.flatMap((filter) => ["--filter", filter])))
    .split("\n")
    .filter((name) => name !== "");

describe("volumes are pruned", () => {
  test("without a name and unused, by default; none of them unasked (E14)", async () => {
    for (const words of [
      ["named"],
      ["--label", "keep=1", "marked"],
      ["-o", "type=tmpfs", "-o", "device=tmpfs", "mount"],
    ])
      await volume("create", ...words);
    const [anonymous, used] = [await volume("create"), await volume("create")];
    await part.daemon.ok("run", "--rm", "-v", `${anonymous}:/v`, "busybox", "sh", "-c", "echo 12345 >/v/f");
    const id = await part.daemon.ok("create", "-v", `${used}:/v`, "busybox");
    const printed = await volume("prune", "-f");
    expect(printed).toBe(`Deleted Volumes:\n${anonymous}\n\nTotal reclaimed space: 6B`);
    expect(await names()).toEqual([used, "marked", "mount", "named"].sort());
    await part.daemon.ok("rm", id);
  });

  test("by label, and with a name only when asked", async () => {
    expect(await volume("prune", "-f", "-a", "--filter", "label=keep=1")).toContain(
      "Deleted Volumes:\nmarked\n",
    );
    await volume("create", "--label", "keep=1", "marked");
    expect(await volume("prune", "-f", "-a", "--filter", "label!=keep")).toContain("named");
    expect(await names()).toEqual(["marked", "mount"]);
    expect((await part.daemon.cli("volume", "prune", "-f", "--filter", "dangling=true")).code).toBe(1);
  });

  test("all of them by clients from before anonymous ones were told apart", async () => {
    const reply = await part.daemon.request("POST", "/v1.41/volumes/prune");
    expect(await reply.json()).toEqual({ VolumesDeleted: ["marked"], SpaceReclaimed: 0 });
    const again = await part.daemon.request("POST", "/volumes/prune");
    expect(await again.json()).toEqual({ VolumesDeleted: [], SpaceReclaimed: 0 });
    await volume("rm", "mount");
  });
});

test("volumes are listed by each filter", async () => {
  await volume("create", "--label", "a=1", "--label", "b", "one");
  await volume("create", "two");
  const { id } = await part.start(IDLE, { Binds: ["two:/v"] });
  expect(await names("label=a=1")).toEqual(["one"]);
  expect(await names("label=b", "label=a=2")).toEqual([]);
  expect(await names("name=tw")).toEqual(["two"]);
  expect(await names("driver=local")).toEqual(["one", "two"]);
  expect(await names("driver=other")).toEqual([]);
  expect(await names("dangling=true")).toEqual(["one"]);
  expect(await names("dangling=0")).toEqual(["two"]);
  expect((await part.daemon.cli("volume", "ls", "--filter", "size=1")).stderr).toContain(
    "nvalid filter 'size'",
  );
  await part.daemon.ok("rm", "-f", id);
});

test("what happens to volumes is told", async () => {
  const since = (Date.now() / 1000).toFixed(3);
  await volume("create", "told");
  const { id } = await part.start(IDLE, { Binds: ["told:/v:ro"] });
  await part.daemon.ok("rm", "-f", id);
  await volume("rm", "told");
  await volume("prune", "-f");
  const until = (Date.now() / 1000 + 0.001).toFixed(3);
  const text = await (
    await part.daemon.request("GET", `/events?since=${since}&until=${until}&filters={"type":["volume"]}`)
  ).text();
  const events = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(events.map(({ Action }) => Action)).toEqual(["create", "mount", "unmount", "destroy", "prune"]);
  expect(events[1].Actor).toEqual({
    ID: "told",
    Attributes: { driver: "local", container: id, destination: "/v", "read/write": "false", propagation: "" },
  });
  expect(events[2].Actor.Attributes).toEqual({ driver: "local", container: id });
});

test("a volume cannot be updated without a swarm, and says so", async () => {
  await volume("create", "fixed");
  const { code, stderr } = await part.daemon.cli("volume", "update", "--availability", "drain", "fixed");
  expect([code, stderr]).toEqual([1, expect.stringContaining("swarm is unavailable")]);
});

describe.skipIf(DOCKER === undefined)(
  DOCKER === undefined ? "docker's client (skipped: it is not installed)" : "docker's client",
  () => {
    const docker = (...words: string[]): Promise<Outcome> =>
      run([DOCKER ?? "", ...words], {
        DOCKER_HOST: `unix://${part.daemon.socket}`,
        DOCKER_CONFIG: "/nonexistent",
      });

    test("makes, shows, uses, refuses to remove and prunes volumes", async () => {
      const made = await docker(
        "volume",
        "create",
        "--label",
        "x=y",
        "-o",
        "type=tmpfs",
        "-o",
        "device=tmpfs",
        "dv",
      );
      expect(made).toMatchObject({ code: 0, stdout: "dv\n" });
      const [shown] = JSON.parse((await docker("volume", "inspect", "dv")).stdout);
      expect(shown).toMatchObject({
        Name: "dv",
        Driver: "local",
        Scope: "local",
        Labels: { x: "y" },
        Options: { type: "tmpfs", device: "tmpfs" },
      });
      expect((await docker("volume", "ls", "-q", "--filter", "label=x")).stdout).toBe("dv\n");
      const id = (await docker("create", "-v", "dv:/v", "busybox", "true")).stdout.trim();
      const refused = await docker("volume", "rm", "dv");
      expect([refused.code, refused.stderr]).toEqual([
        1,
        expect.stringContaining(`volume is in use - [${id}]`),
      ]);
      await docker("rm", id);
      expect(await docker("volume", "rm", "dv")).toMatchObject({ code: 0, stdout: "dv\n" });
      expect((await docker("volume", "rm", "dv")).stderr).toMatch(/no such volume/i);
      expect((await docker("volume", "create", "-o", "speed=1", "bad")).stderr).toContain(
        'invalid option: "speed"',
      );
      const pruned = await docker("volume", "prune", "-f", "--filter", "all=1");
      expect([pruned.code, pruned.stdout]).toEqual([0, expect.stringContaining("Deleted Volumes:")]);
    });
  },
);
