import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type Scratch, scratch } from "../fakes/scratch.ts";
import { BUNKER } from "../fixtures/daemon.ts";
import { describeFlags, type FlagProbe } from "../fixtures/flag-probes.ts";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";
import { Listener } from "../fixtures/listener.ts";

let part: HostPart;
let place: Scratch;
let listener: Listener;

beforeAll(async () => {
  place = await scratch();
  part = await HostPart.open("busybox");
  listener = await Listener.open(part.daemon.socket);
  await Bun.write(`${place.path}/labels`, "# not this\nfile=one\n");
  await ok("network", "create", "--subnet", "10.99.7.0/24", "--ipv6", "--subnet", "fd99:7::/64", "front");
  await ok(
    "run",
    "-d",
    "--name",
    "neighbour",
    "--net",
    "front",
    "--net-alias",
    "next-door",
    "busybox",
    "sleep",
    "600",
  );
}, PATIENCE);
afterAll(async () => {
  await part?.daemon.cli("rm", "-f", "neighbour");
  await part?.daemon.cli("network", "rm", "front");
  await listener?.[Symbol.asyncDispose]();
  await part?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
}, PATIENCE);

const ok = (...words: readonly string[]) => part.daemon.ok(...words);
const run = (...words: readonly string[]) => part.daemon.cli("run", ...words);
const sh = (script: string) => ["busybox", "sh", "-c", script];
const inspected = (id: string, template: string) => ok("inspect", "-f", template, id);

/** The client with pipes, or a terminal, of the test's own. */
function client(words: readonly string[]) {
  const env = { ...process.env, BUNKER_HOST: `unix://${part.daemon.socket}` };
  return Bun.spawn([BUNKER, "run", ...words], { env, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
}

const ADDRESSES: readonly FlagProbe[] = [
  {
    flag: "--ip",
    words: ["--ip", "10.99.7.77"],
    look: "ip -4 addr show eth0 | grep -o 'inet [^ ]*'",
    sees: "inet 10.99.7.77/24",
  },
  {
    flag: "--ip6",
    words: ["--ip6", "fd99:7::77"],
    look: "ip -6 addr show eth0 scope global | grep -o 'inet6 [^ ]*'",
    sees: "inet6 fd99:7::77/64",
  },
  {
    flag: "--network",
    words: [],
    look: "nslookup next-door 127.0.0.11 | grep -c 10.99.7",
    sees: "1",
  },
  {
    flag: "--network-alias",
    words: ["--network-alias", "also-me"],
    look: "nslookup also-me 127.0.0.11 | grep -o 10.99.7.77",
    sees: "10.99.7.77",
  },
  {
    flag: "--link",
    words: ["--link", "neighbour:friend"],
    look: "nslookup friend 127.0.0.11 | grep -c 10.99.7",
    sees: "1",
  },
];
describeFlags("addresses and names", ADDRESSES, () => ({ part, before: ["--network", "front"] }));

describe("what the client does", () => {
  test("--attach leaves the other stream alone", async () => {
    const { stdout, stderr } = await run("--rm", "-a", "stdout", ...sh("echo out; echo err >&2"));
    expect({ stdout, stderr }).toEqual({ stdout: "out\n", stderr: "" });
  });

  test("--detach, --name, --cidfile, --label, --label-file and --annotation name a container", async () => {
    const file = `${place.path}/cid`;
    const words = ["-l", "own=two", "--label-file", `${place.path}/labels`, "--annotation", "org.example=x"];
    const id = await ok(
      "run",
      "-d",
      "--name",
      "named",
      "--cidfile",
      file,
      ...words,
      "busybox",
      "sleep",
      "600",
    );
    expect(readFileSync(file, "utf8")).toBe(id);
    expect(
      await ok("ps", "-q", "--no-trunc", "--filter", "label=own=two", "--filter", "label=file=one"),
    ).toBe(id);
    expect(
      await inspected("named", "{{.Id}} {{.HostConfig.Annotations}} {{.HostConfig.ContainerIDFile}}"),
    ).toBe(`${id} map[org.example:x] ${file}`);
    expect(await run("-d", "--name", "named", "busybox")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining(`The container name "/named" is already in use by container "${id}"`),
    });
    await ok("rm", "-f", "named");
  });

  test("--interactive hands input on, to its end", async () => {
    const process = client(["-i", "--rm", "busybox", "cat"]);
    process.stdin.write("handed on");
    await process.stdin.end();
    expect(await process.stdout.text()).toBe("handed on");
  });

  test("--detach-keys leave a container behind that goes on", async () => {
    const env = { ...process.env, BUNKER_HOST: `unix://${part.daemon.socket}`, TERM: "xterm" };
    const { promise: greeted, resolve } = Promise.withResolvers<void>();
    let said = "";
    const words = [
      "run",
      "-it",
      "--name",
      "left",
      "--detach-keys",
      "ctrl-a,x",
      ...sh("echo hello; exec cat"),
    ];
    const spawned = Bun.spawn([BUNKER, ...words], {
      env,
      terminal: {
        data(_terminal, bytes) {
          said += new TextDecoder().decode(bytes);
          if (said.includes("hello")) resolve();
        },
      },
    });
    await greeted;
    spawned.terminal?.write("\u0001x");
    expect(await spawned.exited).toBe(0);
    expect(await inspected("left", "{{.State.Status}}")).toBe("running");
    await ok("rm", "-f", "left");
  });

  test("--sig-proxy hands signals on, or keeps them to the client", async () => {
    const script = "trap 'exit 7' USR1; echo ready; tail -f /dev/null & wait";
    const told = client(["--rm", ...sh(script)]);
    const keeping = client(["--sig-proxy=false", "--name", "untold", ...sh(script)]);
    for (const process of [told, keeping]) {
      await process.stdout.getReader().read();
      process.kill("SIGUSR1");
    }
    expect(await told.exited).toBe(7);
    await keeping.exited;
    expect([keeping.signalCode, await inspected("untold", "{{.State.Status}}")]).toEqual([
      "SIGUSR1",
      "running",
    ]);
    await ok("rm", "-f", "untold");
  });

  test("--pull and --quiet say when an image is asked for, and how loudly", async () => {
    expect((await run("--rm", "--pull", "never", "busybox:other", "true")).code).toBe(125);
    const quiet = await run("--rm", "--quiet", "busybox:other", "echo", "here");
    expect(quiet).toEqual({ code: 0, stdout: "here\n", stderr: "" });
    const again = await run("--rm", "--pull", "always", "busybox:other", "true");
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining("Image is up to date") });
  });

  test("--platform asks for another image, and is refused what there is not", async () => {
    expect(await run("--rm", "--pull", "never", "--platform", "linux/s390x", "busybox")).toMatchObject({
      code: 125,
    });
    expect((await run("--rm", "--platform", "linux", "busybox", "true")).code).toBe(0);
  });
});

describe("a life", () => {
  test(
    "--health-*: every one of them counts, and the shell is the container's",
    async () => {
      const script = "test -e /tmp/well && echo fine || { touch /tmp/well; echo ill; exit 1; }";
      const { id } = await part.start(
        ["sleep", "600"],
        {},
        {
          Healthcheck: {
            Test: ["CMD-SHELL", script],
            Interval: 3600e9,
            Timeout: 60e9,
            StartPeriod: 3600e9,
            StartInterval: 1e7,
            Retries: 1,
          },
          Shell: ["/bin/sh", "-e", "-c"],
        },
      );
      // The first failure does not count, and the next check comes by the start interval: an hour would be too long.
      const { Actor } = await listener.next(id, "exec_create: /bin/sh -e -c ".concat(script));
      expect(Actor.ID).toBe(id);
      await listener.next(id, "health_status: healthy");
      await part.remove(id);
      const words = [
        "--health-cmd",
        "exit 1",
        "--health-interval",
        "10ms",
        "--health-retries",
        "2",
        "--health-timeout",
        "59s",
      ];
      const more = ["--health-start-period", "7ms", "--health-start-interval", "6ms"];
      const ill = await ok("run", "-d", ...words, ...more, "busybox", "sleep", "600");
      await listener.next(ill, "health_status: unhealthy");
      const [streak, config] = (
        await inspected(ill, "{{.State.Health.FailingStreak}} {{json .Config.Healthcheck}}")
      ).split(/ (.*)/);
      expect(Number(streak)).toBeGreaterThanOrEqual(2);
      expect(JSON.parse(config ?? "")).toEqual({
        Test: ["CMD-SHELL", "exit 1"],
        Interval: 1e7,
        Timeout: 59e9,
        StartPeriod: 7e6,
        StartInterval: 6e6,
        Retries: 2,
      });
      await ok("rm", "-f", ill);
    },
    PATIENCE,
  );

  test("--log-driver none keeps nothing, --log-opt bounds what is kept", async () => {
    const none = await ok("run", "-d", "--log-driver", "none", "busybox", "echo", "unheard");
    await ok("wait", none);
    expect((await part.daemon.cli("logs", none)).code).toBe(1);
    const script = "i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done";
    const bounded = await ok(
      "run",
      "-d",
      "--log-opt",
      "max-size=2k",
      "--log-opt",
      "max-file=2",
      ...sh(script),
    );
    await ok("wait", bounded);
    const kept = (await ok("logs", bounded)).split("\n");
    expect([kept.length < 300, kept.at(-1)]).toEqual([true, "299"]);
    const path = await inspected(bounded, "{{.LogPath}}");
    expect(readFileSync(path).length).toBeLessThanOrEqual(2048 + 200);
    expect(readFileSync(`${path}.1`).length).toBeGreaterThan(0);
    await ok("rm", none, bounded);
  });

  test("--restart and --rm say what follows an end", async () => {
    const script = "test -e /tmp/once || { touch /tmp/once; exit 3; }; exec sleep 600";
    const again = await ok("run", "-d", "--restart", "on-failure:1", ...sh(script));
    await listener.next(again, "die");
    await listener.next(again, "start");
    expect(await inspected(again, "{{.RestartCount}} {{.State.Status}}")).toBe("1 running");
    await ok("rm", "-f", again);
    const gone = await ok("run", "-d", "--rm", "-v", "/data", "busybox", "true");
    await listener.next(gone, "destroy");
    expect((await part.daemon.cli("inspect", gone)).code).toBe(1);
  });

  test("--publish, --expose and --publish-all are seen on the host", async () => {
    const words = ["-p", "127.0.0.1:0:80", "--expose", "90-91/udp", "-P"];
    const id = await ok("run", "-d", ...words, "busybox", "httpd", "-f", "-h", "/etc");
    const port = await ok("port", id, "80/tcp");
    await until(
      () =>
        fetch(`http://${port}/passwd`).then(
          (reply) => reply.text(),
          () => "",
        ),
      (text) => text.startsWith("root:"),
    );
    expect((await ok("port", id)).match(/^9[01]\/udp -> 0\.0\.0\.0:\d+$/gm)).toHaveLength(2);
    await ok("rm", "-f", id);
  });

  test("--volumes-from takes over what another has", async () => {
    const first = await ok("create", "-v", "/shared", ...sh("echo from first > /shared/x"));
    await ok("start", "-a", first);
    expect(await ok("run", "--rm", "--volumes-from", first, "busybox", "cat", "/shared/x")).toBe(
      "from first",
    );
    await ok("rm", "-v", first);
  });
});

describe("fields that only the API has", () => {
  test("ConsoleSize is the terminal's size from the first moment", async () => {
    const { stdout } = await raw({ ConsoleSize: [33, 111] }, { Tty: true, Cmd: ["stty", "size"] });
    expect(stdout).toContain("33 111");
  });

  test("NetworkDisabled leaves the loopback alone", async () => {
    const { stdout } = await part.run(["ls", "/sys/class/net"], {}, { NetworkDisabled: true });
    expect(stdout).toBe("lo\n");
  });

  test("Image and Cmd are what is run; OnBuild, Shell and ArgsEscaped are kept, Cgroup is refused", async () => {
    const body = {
      Image: "busybox",
      Cmd: ["echo", "it"],
      OnBuild: ["RUN x"],
      Shell: ["/bin/ash", "-c"],
      ArgsEscaped: true,
    };
    const { Id } = await part.ask<{ Id: string }>("POST", "/containers/create", body);
    expect(await ok("start", "-a", Id)).toBe("it");
    const { Config } = await part.ask<{ Config: object }>("GET", `/containers/${Id}/json`);
    expect(Config).toMatchObject(body);
    await part.remove(Id);
    const refused = await part.daemon.request("POST", "/containers/create", {
      Image: "busybox",
      HostConfig: { Cgroup: "container:x" },
    });
    expect([refused.status, await refused.text()]).toEqual([501, expect.stringContaining("control group")]);
  });
});

/** As HostPart's run, of a container with a terminal, whose log is not framed. */
async function raw(host: object, settings: object): Promise<{ readonly stdout: string }> {
  const body = { Image: "busybox", HostConfig: host, ...settings };
  const { Id } = await part.ask<{ Id: string }>("POST", "/containers/create", body);
  await part.ask("POST", `/containers/${Id}/start`);
  await part.ask("POST", `/containers/${Id}/wait`);
  const reply = await part.daemon.request("GET", `/containers/${Id}/logs?stdout=1`);
  const stdout = await reply.text();
  await part.remove(Id);
  return { stdout };
}
