import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Scratch, scratch } from "../fakes/scratch.ts";
import { BUNKER, run, TestDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/host-part.ts";

const MINUTE = 60_000;
let place: Scratch;
let daemon: TestDaemon;
let file: string;

beforeAll(async () => {
  place = await scratch();
  file = `${place.path}/daemon.json`;
  await Bun.write(file, JSON.stringify({ labels: ["a=1"] }));
  const prefix = ["sh", "-c", `exec "$0" "$@" 2>>${place.path}/log`];
  daemon = await TestDaemon.start({ prefix, args: ["--config-file", file] });
}, MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
}, MINUTE);

const log = () => Bun.file(`${place.path}/log`).text();

interface Info {
  readonly ID: string;
  readonly Name: string;
  readonly Labels: readonly string[];
  readonly Debug: boolean;
  readonly RegistryConfig: { readonly Mirrors: readonly string[] };
}

interface Told {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

/** Writes the file, sends SIGHUP, and returns the event that tells of it. */
async function reloadWith(content: string): Promise<Told> {
  await Bun.write(file, content);
  const controller = new AbortController();
  const filters = encodeURIComponent(JSON.stringify({ type: ["daemon"], event: ["reload"] }));
  const { body } = await fetch(`http://bunker/events?filters=${filters}`, {
    unix: daemon.socket,
    signal: controller.signal,
  });
  process.kill(daemon.pid, "SIGHUP");
  const { value } = (await body?.getReader().read()) ?? {};
  controller.abort();
  return JSON.parse(new TextDecoder().decode(value).split("\n")[0] ?? "");
}

test(
  "SIGHUP takes over what may change, tells of it, and leaves the rest for the next start",
  async () => {
    const mirrors = ["http://127.0.0.1:1/"];
    const settings = { labels: ["b=2", "c=3"], debug: true, "registry-mirrors": mirrors, mtu: 1400 };
    const told = await reloadWith(JSON.stringify(settings));
    const info = await daemon.json<Info>("/info");
    expect(info).toMatchObject({ Labels: ["b=2", "c=3"], Debug: true });
    expect(info.RegistryConfig.Mirrors).toEqual(mirrors);
    expect(told).toMatchObject({
      Type: "daemon",
      Action: "reload",
      Actor: {
        ID: info.ID,
        Attributes: {
          name: info.Name,
          labels: '["b=2","c=3"]',
          debug: "true",
          "registry-mirrors": JSON.stringify(mirrors),
          "max-concurrent-downloads": "3",
          "live-restore": "true",
          "default-runtime": "native",
        },
      },
    });
  },
  MINUTE,
);

test(
  "a bad file changes nothing, and the next good one counts",
  async () => {
    const before = await daemon.json<Info>("/info");
    const refusals = /error Cannot reload the configuration, all settings stay as they were: /g;
    const bads = ['{"labels": ', '{"labels": 3}', '{"nosuch": 1}', '{"live-restore": 3}'];
    for (const [at, bad] of bads.entries()) {
      await Bun.write(file, bad);
      process.kill(daemon.pid, "SIGHUP");
      await until(log, (seen) => seen.match(refusals)?.length === at + 1);
      expect(await daemon.json<Info>("/info")).toMatchObject({ Labels: before.Labels, Debug: true });
    }
    const told = await reloadWith(JSON.stringify({ labels: ["d=4"] }));
    expect(told.Actor.Attributes).toMatchObject({ labels: '["d=4"]', debug: "false" });
    expect(await daemon.json<Info>("/info")).toMatchObject({ Labels: ["d=4"], Debug: false });
    expect(await log()).toMatch(/info Reloaded the configuration: .*labels is now \["b=2","c=3"\]/);
    expect(await log()).toMatch(/warn These count from the next start on: mtu/);
  },
  MINUTE,
);

test.each([
  [["--storage-driver", "nosuch"], /nosuch: it is not known/],
  [["-H", "gopher://x"], /gopher/],
  [["-H", "tcp://127.0.0.1:99999"], /Cannot listen/],
  [["-H", "tcp://127.0.0.1:1"], /--insecure-tcp/],
  [["-H", "tcp://127.0.0.1:1", "--tlsverify", "--tlscert=/nosuch"], /nosuch/],
  [["--mtu", "1"], /mtu/],
  [["--userland-proxy-path", "/proxy"], /not supported/],
  [["--userns-remap", "nosuch"], /there is no user nosuch/],
])("--validate refuses %j as a start would", async (words, says) => {
  const outcome = await run([BUNKER, "daemon", "--validate", "--config-file", "/dev/null", ...words]);
  expect(outcome).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(says) });
});

test("--validate is content with what a start would take, and makes nothing", async () => {
  const root = `${place.path}/never`;
  const words = ["--data-root", root, "--exec-root", `${root}/run`, "-H", `unix://${root}/s`];
  const outcome = await run([BUNKER, "daemon", "--validate", "--config-file", "/dev/null", ...words]);
  expect(outcome).toEqual({ code: 0, stdout: "configuration OK\n", stderr: "" });
  expect(await Bun.file(root).exists()).toBe(false);
});
