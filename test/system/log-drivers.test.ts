import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { FakeRegistry } from "../fakes/registry.ts";
import { scratch } from "../fakes/scratch.ts";
import { BUNKER, run, TestDaemon } from "../fixtures/daemon.ts";
import { listenForDatagrams } from "../fixtures/datagrams.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
const DEFAULTS = ["--log-driver", "local", "--log-opt", "max-size=16k", "--log-opt", "max-file=3"];
let fake: FakeRegistry;
let daemon: TestDaemon;

beforeAll(async () => {
  await requirePackages(["python3-minimal"]);
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url, ...DEFAULTS] });
  await daemon.ok("pull", "-q", "busybox");
}, 10 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

const shown = (id: string, template: string) => daemon.ok("inspect", "-f", template, id);
const counting = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done";

describe("a container's log", () => {
  test("is the daemon's driver's unless it names another, whose options are its own", async () => {
    const plain = await daemon.ok("create", "busybox", "true");
    const own = await daemon.ok("create", "--log-opt", "max-file=2", "--log-opt", "tag=x", "busybox", "true");
    const other = await daemon.ok("create", "--log-driver", "json-file", "busybox", "true");
    const config = (id: string) =>
      shown(id, "{{.HostConfig.LogConfig.Type}} {{json .HostConfig.LogConfig.Config}}");
    expect(await config(plain)).toBe('local {"max-size":"16k","max-file":"3"}');
    expect(await config(own)).toBe('local {"max-size":"16k","max-file":"2","tag":"x"}');
    expect(await config(other)).toBe("json-file {}");
    expect(await shown(plain, "{{.LogPath}}")).toBe("");
    expect(await shown(other, "{{.LogPath}}")).toEndWith(`${other}-json.log`);
    expect(await daemon.ok("info", "-f", "{{.LoggingDriver}} {{.Plugins.Log}}")).toMatch(
      /^local \[(journald )?json-file local syslog\]$/,
    );
    await daemon.ok("rm", plain, own, other);
  });

  test("is kept by local in files that are rotated and packed, over a daemon that is killed", async () => {
    const script = `${counting}; read go; echo last`;
    const id = await daemon.ok("run", "-d", "-i", "--name", "kept", "busybox", "sh", "-c", script);
    const { Id } = await daemon.json<{ Id: string }>(`/containers/${id}/json`);
    await daemon.kill();
    await daemon.start();
    expect((await run([...attach("kept")], environment(), "go\n")).code).toBe(0);
    const text = await daemon.ok("logs", "kept");
    expect(text).toEndWith("line 1999\nlast");
    const lines = text.split("\n").slice(0, -1);
    expect(lines[0]).toBe(`line ${2000 - lines.length}`);
    expect(await daemon.ok("logs", "--tail", "2", "kept")).toBe("line 1999\nlast");
    const files = readdirSync(`${daemon.root}/data/containers/${Id}/local-logs`).sort();
    expect(files).toEqual(["container.log", "container.log.1.gz", "container.log.2.gz"]);
    await daemon.ok("rm", "kept");
  });

  test("has what was chosen of labels and environment, and the tag", async () => {
    const options = ["labels=tier", "env-regex=^MO", "tag={{.ImageName}}/{{.Name}}"];
    const words = options.flatMap((option) => ["--log-opt", option]);
    await daemon.ok(
      ...["run", "--name", "told", "-l", "tier=web", "-l", "other=x", "-e", "MODE=test", ...words],
      ...["busybox", "echo", "hi"],
    );
    expect(await daemon.ok("logs", "--details", "told")).toBe("MODE=test,tag=busybox%2Ftold,tier=web hi");
    await daemon.ok("rm", "told");
  });

  test("of the driver none cannot be read, and the container runs", async () => {
    expect(await daemon.ok("run", "--name", "silent", "--log-driver", "none", "busybox", "echo", "hi")).toBe(
      "hi",
    );
    const reply = await daemon.request("GET", "/containers/silent/logs?stdout=1");
    expect([reply.status, await reply.json()]).toEqual([
      501,
      { message: "configured logging driver does not support reading" },
    ]);
    await daemon.ok("rm", "silent");
  });

  test("goes to a syslog server, and a copy of it is read and rotated", async () => {
    await using home = await scratch();
    const address = `${home.path}/syslog`;
    await using server = await listenForDatagrams(address);
    const options = [
      `syslog-address=unixgram://${address}`,
      "syslog-format=rfc5424micro",
      "syslog-facility=local1",
    ];
    const words = [...options, "tag={{.Name}}", "mode=non-blocking"].flatMap((option) => [
      "--log-opt",
      option,
    ]);
    const script = "echo out; usleep 200000; echo bad >&2";
    await daemon.ok(
      "run",
      "--name",
      "far",
      "--log-driver",
      "syslog",
      ...words,
      "busybox",
      "sh",
      "-c",
      script,
    );
    const time = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}(Z|[+-]\\d\\d:\\d\\d)";
    expect(await server.next()).toMatch(new RegExp(`^<142>1 ${time} \\S+ far \\d+ far - out\n$`));
    expect(await server.next()).toMatch(new RegExp(`^<139>1 ${time} \\S+ far \\d+ far - bad\n$`));
    expect(await daemon.ok("logs", "far")).toBe("out");
    await daemon.ok("rm", "far");
    const bare = [...words, "--log-opt", "cache-disabled=true"];
    await daemon.ok("run", "--name", "bare", "--log-driver", "syslog", ...bare, "busybox", "true");
    expect((await daemon.cli("logs", "bare")).stderr).toContain("does not support reading");
    await daemon.ok("rm", "bare");
  });

  test.each([
    [["--log-driver", "fluentd"], "logger: no log driver named 'fluentd' is registered"],
    [["--log-opt", "colour=red"], "unknown log opt 'colour' for log driver local"],
    [["--log-driver", "json-file", "--log-opt", "max-file=2"], "cannot set max-file > 1 without max-size"],
    [
      ["--log-driver", "syslog", "--log-opt", "syslog-address=tcp+tls://x"],
      "TLS to a syslog server is not built",
    ],
    [
      ["--log-driver", "syslog", "--log-opt", "syslog-address=tcp://127.0.0.1:9"],
      "failed to initialize logging driver: dial tcp 127.0.0.1:9:",
    ],
  ])("with %j is refused, and nothing is left", async (words, sentence) => {
    const { code, stderr } = await daemon.cli("run", "--rm", ...words, "busybox", "true");
    expect([code, stderr]).toEqual([125, expect.stringContaining(sentence)]);
    expect(await daemon.ok("ps", "-aq")).toBe("");
  });

  const hasJournal = existsSync("/run/systemd/journal/socket");
  test.skipIf(hasJournal)(
    `by journald is refused where there is none${hasJournal ? " (skipped: there is one)" : ""}`,
    async () => {
      const { code, stderr } = await daemon.cli("run", "--rm", "--log-driver", "journald", "busybox", "true");
      expect([code, stderr]).toEqual([125, expect.stringContaining("journald is not enabled on this host")]);
      expect(await daemon.ok("ps", "-aq")).toBe("");
    },
  );

  test("stays as it is when the container is updated, and the options of the daemon are checked", async () => {
    const id = await daemon.ok("run", "-d", "busybox", "sh", "-c", "echo one; sleep 600");
    await daemon.ok("update", "-m", "64m", "--memory-swap", "64m", id);
    expect(await daemon.ok("logs", id)).toBe("one");
    await daemon.ok("rm", "-f", id);
    const { code, stderr } = await run([BUNKER, "daemon", "--validate", "--log-opt", "max-file=2"], {});
    expect([code === 0, stderr]).toEqual([
      false,
      expect.stringContaining("cannot set max-file > 1 without max-size"),
    ]);
  });
});

const attach = (name: string): readonly string[] => [BUNKER, "attach", name];
const environment = () => ({ BUNKER_HOST: `unix://${daemon.socket}` });
