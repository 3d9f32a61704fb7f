import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Descriptor } from "#oci";
import { FakeRegistry, stallAfter, times } from "../fakes/registry.ts";
import { BUNKER, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage } from "../fixtures/index.ts";
import { leavings, leftBy, synced, tree } from "../fixtures/leavings.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
let fake: FakeRegistry;
let daemon: TestDaemon;
let layer: Descriptor;

beforeAll(async () => {
  const image = await busyboxImage();
  [layer] = image.layers as [Descriptor];
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/app", image);
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
}, 2 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

interface Job {
  readonly id: string;
  readonly name: string;
  readonly status: string;
}

async function pulls(status: string): Promise<readonly Job[]> {
  const jobs = await daemon.json<readonly Job[]>("/bunker/jobs");
  return jobs.filter((job) => job.name === "image.pull" && job.status === status);
}

/** The first request for the layer, which gets a part of it and then nothing. */
async function stalled() {
  for (;;) {
    const found = fake.requests.find(({ path }) => path.includes(layer.digest));
    if (found !== undefined) return found;
    await Bun.sleep(5);
  }
}

function stall(): void {
  fake.requests.length = 0;
  fake.faults.splice(0, fake.faults.length, times(9, layer.digest, stallAfter(1000)));
}

/** Layer trees, and files that are being written; whole blobs may stay until they are swept. */
const halves = () =>
  tree(daemon.dataRoot).filter(
    (path) => /^overlay2\/(?!l\/$)[^.]|^vfs\/[^.]/.test(path) || /download|ingest|tmp/.test(path),
  );

test(
  "a slow pull is listed with its phase and age, and is cancelled by its id",
  async () => {
    stall();
    const pulling = daemon.cli("pull", "app");
    const request = await stalled();
    const [job] = await pulls("running");
    const line = (await daemon.ok("jobs")).split("\n").find((text) => text.startsWith(job?.id ?? "none"));
    expect(line).toMatch(/image\.pull +.*app.* ago .*running/);
    expect(await daemon.ok("jobs", "cancel", job?.id ?? "")).toBe(job?.id ?? "");
    expect(await pulling).toMatchObject({ code: 1, stderr: expect.stringMatching(/cancel/i) });
    await request.dropped;
    expect((await pulls("running")).length).toBe(0);
    expect(await daemon.ok("jobs", "--no-trunc")).toMatch(new RegExp(`${job?.id} +image\\.pull.*cancelled`));
    expect(halves()).toEqual([]);
    expect((await leavings(daemon)).images).toEqual([]);
    const again = await daemon.cli("jobs", "cancel", job?.id ?? "");
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining(job?.id ?? "none")]);
  },
  MINUTE,
);

test(
  "a pull ends with its client",
  async () => {
    stall();
    const client = Bun.spawn([BUNKER, "pull", "app"], {
      env: { BUNKER_HOST: `unix://${daemon.socket}` },
      stdio: ["ignore", "ignore", "ignore"],
    });
    const request = await stalled();
    client.kill("SIGKILL");
    await request.dropped;
    while ((await pulls("running")).length > 0) await Bun.sleep(5);
    expect(halves()).toEqual([]);
    expect((await leavings(daemon)).images).toEqual([]);
  },
  MINUTE,
);

test(
  "what a daemon that was killed in mid-pull had fetched is no image, and the next pull is whole",
  async () => {
    stall();
    const pulling = daemon.cli("pull", "app");
    await stalled();
    await daemon.kill();
    await pulling;
    fake.faults.length = 0;
    await daemon.start();
    expect(halves()).toEqual([]);
    expect(await daemon.ok("images", "-aq")).toBe("");
    await daemon.ok("pull", "app");
    await synced(daemon);
    const left = await leftBy(daemon, async () => {
      expect(await daemon.ok("pull", "app")).toContain("Image is up to date");
    });
    expect(left).toEqual([]);
    expect(await daemon.ok("run", "--rm", "app", "echo", "whole")).toBe("whole");
  },
  MINUTE,
);
