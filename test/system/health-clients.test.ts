import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FakeRegistry } from "../fakes/registry.ts";
import { scratch } from "../fakes/scratch.ts";
import { BUNKER_CLIENT, DEBIAN_DOCKER, newerDocker } from "../fixtures/clients.ts";
import { run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { Listener } from "../fixtures/listener.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
const NEWER = newerDocker();
const CLIENTS = [DEBIAN_DOCKER, BUNKER_CLIENT, ...(NEWER === undefined ? [] : [NEWER])];
let fake: FakeRegistry;
let daemon: TestDaemon;
let listener: Listener;
let host: string;

beforeAll(async () => {
  await requirePackages(["docker.io", "docker-compose"]);
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  host = `unix://${daemon.socket}`;
  await daemon.ok("pull", "-q", "busybox");
  listener = await Listener.open(daemon.socket);
}, 10 * MINUTE);

afterAll(async () => {
  await listener?.[Symbol.asyncDispose]();
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

describe.each(CLIENTS.map((client) => [client.title, client] as const))("%s", (_title, client) => {
  const ok = (...words: readonly string[]) => client.ok(host, ...words);
  const health = (id: string) => ok("inspect", "-f", "{{.State.Health.Status}}", id);
  const status = (id: string) => ok("ps", "-a", "--filter", `id=${id}`, "--format", "{{.Status}}");

  test(
    "runs a container with a check, and sees how it is",
    async () => {
      const id = await ok(
        ...["run", "-d", "--health-cmd", "echo looked; test -e /tmp/well", "--health-interval", "100ms"],
        ...["--health-timeout", "20s", "--health-retries", "2"],
        ...["busybox", "sleep", "600"],
      );
      await listener.next(id, "health_status: unhealthy");
      expect(await status(id)).toMatch(/^Up .+ \(unhealthy\)$/);
      await ok("exec", id, "touch", "/tmp/well");
      await listener.next(id, "health_status: healthy");
      expect([await status(id), await health(id)]).toEqual([
        expect.stringMatching(/^Up .+ \(healthy\)$/),
        "healthy",
      ]);
      expect(await ok("ps", "-q", "--no-trunc", "--filter", "health=healthy")).toBe(id);
      const [{ State, Config }] = JSON.parse(await ok("inspect", id));
      expect(State.Health).toMatchObject({ Status: "healthy", FailingStreak: 0 });
      expect(State.Health.Log.at(-1)).toMatchObject({ ExitCode: 0, Output: "looked\n" });
      expect(Config.Healthcheck).toEqual({
        Test: ["CMD-SHELL", "echo looked; test -e /tmp/well"],
        Interval: 100_000_000,
        Timeout: 20_000_000_000,
        Retries: 2,
      });
      await ok("rm", "-f", id);
    },
    MINUTE,
  );

  test(
    "can do without the check of an image, and with some of it changed",
    async () => {
      const made = await ok("create", "busybox", "sleep", "600");
      const change = 'HEALTHCHECK --interval=100ms --retries=1 CMD ["test", "-e", "/tmp/well"]';
      await ok("commit", "--change", change, made, "checked");
      const own = await ok("run", "-d", "checked");
      await listener.next(own, "health_status: unhealthy");
      const without = await ok("run", "-d", "--no-healthcheck", "checked");
      expect(await status(without)).not.toContain("(");
      expect(await ok("inspect", "-f", "{{json .Config.Healthcheck.Test}}", without)).toBe('["NONE"]');
      const changed = await ok("run", "-d", "--health-cmd", "exit 0", "checked");
      await listener.next(changed, "health_status: healthy");
      expect(await ok("inspect", "-f", "{{json .Config.Healthcheck.Interval}}", changed)).toBe("100000000");
      await ok("rm", "-f", made, own, without, changed);
      await ok("rmi", "checked");
    },
    MINUTE,
  );

  test(
    "--init, --stop-signal and --stop-timeout have their effect",
    async () => {
      const stopped = async (id: string) => {
        await ok("stop", id);
        return ok("inspect", "-f", "{{.State.ExitCode}}", id);
      };
      // The first process of a pid namespace is deaf to what it does not handle; what the small one passes on is heard.
      const init = await ok("run", "-d", "--init", "--stop-timeout", "600", "busybox", "sleep", "600");
      expect(await stopped(init)).toBe("143");
      const impatient = await ok("run", "-d", "--stop-timeout", "0", "busybox", "sleep", "600");
      expect(await stopped(impatient)).toBe("137");
      const script = "trap 'exit 5' USR2; echo ready; while :; do usleep 10000; done";
      const own = await ok(
        ...["run", "-d", "--stop-signal", "SIGUSR2", "--stop-timeout", "600", "busybox", "sh", "-c", script],
      );
      while ((await ok("logs", own)) !== "ready") await Bun.sleep(20);
      expect(await stopped(own)).toBe("5");
      await ok("rm", init, impatient, own);
    },
    MINUTE,
  );
});

const PROJECT = `version: "2.4"
services:
  base:
    image: busybox
    command: sleep 600
    healthcheck:
      test: test -e /tmp/ready
      interval: 100ms
      timeout: 20s
      retries: 100000
  user:
    image: busybox
    command: sleep 600
    depends_on:
      base: {condition: service_healthy}
`;

test(
  "docker-compose starts what depends on a healthy service once that is healthy, and not before",
  async () => {
    await using home = await scratch();
    await Bun.write(`${home.path}/docker-compose.yml`, PROJECT);
    const compose = (...words: readonly string[]) =>
      run(
        [
          "/usr/bin/docker-compose",
          "--ansi",
          "never",
          "-p",
          "well",
          "-f",
          `${home.path}/docker-compose.yml`,
          ...words,
        ],
        {
          DOCKER_HOST: host,
          DOCKER_CONFIG: home.path,
        },
      );
    const up = compose("up", "-d");
    const named = async (name: string) =>
      daemon.ok("ps", "-aq", "--no-trunc", "--filter", `label=com.docker.compose.service=${name}`);
    let base = "";
    while (base === "") base = await named("base");
    for (let round = 0; round < 3; round++) await listener.next(base, "exec_die");
    const early = await named("user");
    expect(early === "" || (await daemon.ok("inspect", "-f", "{{.State.Status}}", early))).not.toBe(
      "running",
    );
    await daemon.ok("exec", base, "touch", "/tmp/ready");
    expect(await up).toMatchObject({ code: 0 });
    const user = await named("user");
    const healthyAt = listener.all.findIndex(
      ({ Action, Actor }) => Actor.ID === base && Action === "health_status: healthy",
    );
    const startedAt = listener.all.findIndex(({ Action, Actor }) => Actor.ID === user && Action === "start");
    expect(healthyAt).toBeGreaterThanOrEqual(0);
    expect(startedAt).toBeGreaterThan(healthyAt);
    expect((await compose("ps")).stdout).toMatch(/well_base_1 .*Up \(healthy\)/);
    expect(await compose("down", "-t", "0")).toMatchObject({ code: 0 });
  },
  3 * MINUTE,
);
