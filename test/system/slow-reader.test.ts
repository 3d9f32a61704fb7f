import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, constants, createReadStream, openSync } from "node:fs";
import { FakeRegistry } from "../fakes/registry.ts";
import { scratch } from "../fakes/scratch.ts";
import { BUNKER, run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
/** Longer than the daemon lets a client go on sending after the end; what it has not read yet must still come. */
const PAUSE = 13_000;
/** What pipes and sockets on the way hold is less than this, and what the daemon holds then more than nothing. */
const SIZES = [450_000, 500_000, 550_000, 600_000, 650_000];
let fake: FakeRegistry;
let daemon: TestDaemon;

beforeAll(async () => {
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  await daemon.ok("run", "-d", "--name", "box", "busybox", "sleep", "1000");
}, 10 * MINUTE);

afterAll(async () => {
  await daemon?.ok("rm", "-f", "box");
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

const CASES = SIZES.flatMap((size) => {
  const printing = ["head", "-c", String(size), "/dev/zero"];
  return [
    [size, "run", "--rm", "-i", "busybox", ...printing],
    [size, "run", "--rm", "-i", "--cidfile", "ID", "busybox", ...printing],
    [size, "exec", "-i", "box", ...printing],
  ] as [number, ...string[]][];
});

test.concurrent.each(CASES)(
  "all %d bytes that %s prints reach a reader who pauses, with its input left open",
  async (size, ...words) => {
    await using folder = await scratch();
    const path = `${folder.path}/pipe`;
    expect((await run(["mkfifo", path])).code).toBe(0);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    const client = Bun.spawn([BUNKER, ...words.map((word) => word.replace("ID", `${folder.path}/id`))], {
      env: { BUNKER_HOST: `unix://${daemon.socket}` },
      stdin: "pipe",
      stdout: writer,
      stderr: "inherit",
    });
    closeSync(writer);
    await Bun.sleep(PAUSE);
    closeSync(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
    let bytes = 0;
    const blocking = createReadStream("", { fd: openSync(`/proc/self/fd/${reader}`, constants.O_RDONLY) });
    for await (const piece of blocking) bytes += piece.length;
    closeSync(reader);
    client.stdin.end();
    expect([bytes, await client.exited]).toEqual([size, 0]);
  },
  MINUTE,
);

test(
  "a signal that comes while a container is made reaches it, or ends the client with none made",
  async () => {
    for (const delay of [5, 12, 16, 20, 25, 30, 40]) {
      const client = Bun.spawn(
        [BUNKER, "run", "busybox", "sh", "-c", "trap 'exit 7' TERM; while :; do usleep 10000; done"],
        {
          env: { BUNKER_HOST: `unix://${daemon.socket}` },
          stdio: ["ignore", "ignore", "inherit"],
        },
      );
      await Bun.sleep(delay);
      client.kill("SIGTERM");
      // Before its trap is there a shell that is the first process of its namespace is told nothing.
      const again = setInterval(() => client.kill("SIGTERM"), 500);
      await client.exited;
      clearInterval(again);
      expect(
        await daemon.ok(
          "ps",
          "-q",
          "--filter",
          "status=running",
          "--filter",
          "ancestor=busybox",
          "--no-trunc",
        ),
      ).toBe(await daemon.ok("inspect", "-f", "{{.Id}}", "box"));
    }
  },
  MINUTE,
);
