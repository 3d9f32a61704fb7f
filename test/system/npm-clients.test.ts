import { afterAll, beforeAll, expect, test } from "bun:test";
import { resolve } from "node:path";
import { FakeRegistry } from "../fakes/registry.ts";
import { scratch } from "../fakes/scratch.ts";
import { run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
let fake: FakeRegistry;
let daemon: TestDaemon;

beforeAll(async () => {
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  await daemon.ok("pull", "-q", "busybox");
}, 10 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

/** What the session saw, by a process of its own that knows no other daemon. */
async function session(name: string, ...args: readonly string[]): Promise<Record<string, unknown>> {
  await using home = await scratch();
  const { code, stdout, stderr } = await run(
    [process.execPath, resolve(import.meta.dir, `../fixtures/${name}-session.mjs`), ...args],
    {
      HOME: home.path,
      DOCKER_CONFIG: home.path,
      DOCKER_HOST: `unix://${daemon.socket}`,
      // Its image is on Docker Hub alone; the session deletes by labels as it would.
      TESTCONTAINERS_RYUK_DISABLED: "true",
    },
  );
  if (code !== 0) throw new Error(`The session of ${name} ended with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

test(
  "dockerode creates, attaches, execs, copies, measures, follows and prunes",
  async () => {
    const { events, ...saw } = await session("dockerode", daemon.socket);
    expect(saw).toEqual({
      ping: "OK",
      images: ["busybox:latest"],
      running: [true, 64 * 1024 * 1024],
      exec: ["given\n", "bad\n", 4],
      limit: 64 * 1024 * 1024,
      top: true,
      archive: true,
      networks: true,
      attach: ["out\ntyped\ndone\n", "err\n"],
      wait: 3,
      logs: "typed done",
      run: ["hello\r\n", 0],
      missing: [404, "No such container: nosuch"],
      pruned: [["dockerode-net"], ["dockerode-data"]],
      left: 0,
    });
    expect(events).toEqual(
      expect.arrayContaining(["create", "attach", "start", "exec_die", "die", "rename", "destroy"]),
    );
  },
  2 * MINUTE,
);

test(
  "testcontainers starts, waits for logs, ports and health, and what it leaves is found by its labels",
  async () => {
    expect(await session("testcontainers")).toEqual({
      page: [200, "copied in"],
      exec: [3, ["copied in", "test"]],
      archive: true,
      logs: true,
      restarted: 0,
      once: "once\n",
      refused: expect.stringContaining("nosuch"),
      found: 3,
      left: 0,
      networks: true,
    });
    expect(await daemon.ok("ps", "-aq")).toBe("");
  },
  3 * MINUTE,
);
