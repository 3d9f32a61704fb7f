import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { BUNKER_CLIENT, DEBIAN_DOCKER, newerDocker } from "../fixtures/clients.ts";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";
import { requirePackages } from "../fixtures/index.ts";

let part: HostPart;
let host: string;

beforeAll(async () => {
  await requirePackages(["docker.io"]);
  part = await HostPart.open("busybox", "layered");
  host = `unix://${part.daemon.socket}`;
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

interface Usage {
  readonly LayersSize: number;
  readonly Images: readonly { Id: string; Size: number; SharedSize: number; Containers: number }[] | null;
  readonly Containers: readonly { SizeRw?: number; State: string }[] | null;
  readonly Volumes: readonly { Name: string; UsageData: { RefCount: number; Size: number } }[] | null;
  readonly ImageUsage?: { ActiveCount: number; TotalSize: number; Reclaimable: number; Items?: unknown[] };
}

describe("system df", () => {
  let stopped: string;

  beforeAll(async () => {
    const write = "dd if=/dev/zero of=/new bs=1000 count=50; dd if=/dev/zero of=/data/kept bs=1000 count=70";
    stopped = (await part.start(["sh", "-c", write], { Binds: ["data:/data"] })).id;
    await part.ask("POST", `/containers/${stopped}/wait`);
    await part.start(["sleep", "1000"]);
    await part.daemon.ok("volume", "create", "unused");
    await part.daemon.ok("commit", stopped, "child:1");
  }, PATIENCE);

  test("tells what is shared, what is used, and what could go", async () => {
    const usage = await part.ask<Usage>("GET", "/v1.50/system/df");
    const images = usage.Images ?? [];
    const shared = images.filter(({ SharedSize }) => SharedSize > 0);
    expect(shared).toHaveLength(2); // The base, and what was made of it.
    const [one, other] = shared;
    expect(one?.SharedSize).toBe(other?.SharedSize ?? 0);
    const own = images.map(({ Size, SharedSize }) => Size - SharedSize).reduce((sum, size) => sum + size, 0);
    expect(usage.LayersSize).toBe(own + (one?.SharedSize ?? 0));
    expect(images.map(({ Containers }) => Containers).sort()).toEqual([0, 0, 2]);
    expect((usage.Containers ?? []).map(({ SizeRw = 0 }) => SizeRw >= 50_000).sort()).toEqual([false, true]);
    const volumes = Object.fromEntries((usage.Volumes ?? []).map(({ Name, UsageData }) => [Name, UsageData]));
    expect(volumes.unused).toEqual({ RefCount: 0, Size: 0 });
    expect(volumes.data?.RefCount).toBe(1);
    expect(volumes.data?.Size).toBeGreaterThanOrEqual(70_000);
  });

  test("only of the kinds that are asked for; from 1.52 on with sums", async () => {
    const usage = await part.ask<Usage>("GET", "/v1.52/system/df?type=image&verbose=1");
    for (const kind of ["Containers", "Volumes", "ContainerUsage", "VolumeUsage"])
      expect(usage).not.toHaveProperty(kind);
    const { LayersSize } = await part.ask<Usage>("GET", "/v1.51/system/df?type=image");
    expect(usage.ImageUsage).toMatchObject({ ActiveCount: 1, TotalSize: LayersSize });
    expect(usage.ImageUsage?.Items).toHaveLength(3);
    expect(await part.ask<Usage>("GET", "/v1.52/system/df?type=volume")).not.toHaveProperty("ImageUsage");
    const { status } = await part.daemon.request("GET", "/system/df?type=moon");
    expect(status).toBe(400);
  });

  test.each([[["system", "df"]], [["system", "df", "-v"]], [["system", "df", "--format", "json"]]])(
    "%p is what docker prints",
    async (words) => {
      const docker = newerDocker() ?? DEBIAN_DOCKER;
      const ours = await BUNKER_CLIENT.ok(host, ...words);
      const plain = (text: string) =>
        text
          .replace(/(Less than a|\d+) seconds?/g, "seconds")
          .replace(/ {2,}/g, "  ")
          .replace(/ +$/gm, "");
      expect(plain(ours)).toBe(plain(await docker.ok(host, ...words)));
    },
  );
});

describe("prune", () => {
  test("asks first, and no is no", async () => {
    const { code, stdout } = await BUNKER_CLIENT.run(
      host,
      ["system", "prune", "--volumes", "--filter", "label=x"],
      "n\n",
    );
    expect([code, stdout]).toEqual([0, expect.stringContaining("  - all anonymous volumes")]);
    expect(stdout).toContain("  - label=x");
    expect(await part.ask<unknown[]>("GET", "/containers/json?all=1")).toHaveLength(2);
    const both = await BUNKER_CLIENT.run(host, ["system", "prune", "--volumes", "--filter", "until=1h"]);
    expect([both.code, both.stderr]).toEqual([1, expect.stringContaining('not supported with "--volumes"')]);
  });

  test("takes what stopped, then images that nobody uses, and says how much that was", async () => {
    const said = await part.daemon.ok("container", "prune", "-f");
    expect(said).toMatch(/^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: [\d.]+kB$/);
    expect(await part.daemon.ok("image", "prune", "-f")).toBe("Total reclaimed space: 0B");
    const images = await part.daemon.ok("image", "prune", "-af");
    expect(images).toContain("untagged: child:1");
    expect(images).toContain("untagged: layered:latest");
    expect(images).not.toContain("busybox");
    await part.daemon.ok("network", "create", "lonely");
    expect(await part.daemon.ok("system", "prune", "-f")).toBe(
      "Deleted Networks:\nlonely\n\nTotal reclaimed space: 0B",
    );
    await part.daemon.ok("rm", "-f", ...(await part.daemon.ok("ps", "-q")).split("\n"));
    expect(await part.daemon.ok("system", "prune", "-af", "--volumes")).toContain("untagged: busybox:latest");
    const { Images, LayersSize } = await part.ask<Usage>("GET", "/v1.51/system/df");
    expect([Images, LayersSize]).toEqual([[], 0]);
  });
});
