import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { FakeRegistry } from "../fakes/registry.ts";
import { scratch } from "../fakes/scratch.ts";
import { type Outcome, run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, httpdImage, requirePackages } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
/** Debian's docker.io; another in PATH is not asked for. */
const DOCKER = "/usr/bin/docker";
const SESSION = resolve(import.meta.dir, "../fixtures/docker-session.py");
let fake: FakeRegistry;
let daemon: TestDaemon;

beforeAll(async () => {
  await requirePackages(["docker.io", "python3-docker", "curl", "bsdutils"]);
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  await serveImage(fake, "library/httpd", await httpdImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  await docker("pull", "-q", "busybox");
}, 10 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

interface Asked {
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
}

/** The client with no configuration of its own but what says where the daemon is. */
async function ask({ words, environment = {}, input }: Asked): Promise<Outcome> {
  await using home = await scratch();
  const variables = { DOCKER_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: home.path, ...environment };
  return run([DOCKER, ...words], variables, input);
}

const dockerCli = (...words: readonly string[]): Promise<Outcome> => ask({ words });

/** As dockerCli, and throws with the client's words unless it ends with 0. */
async function docker(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await dockerCli(...words);
  if (code !== 0) throw new Error(`docker ${words.join(" ")} ended with ${code}: ${stderr}${stdout}`);
  return stdout.trim();
}

describe("Debian's docker client", () => {
  test(
    "pulls httpd, runs it and curl gets its page",
    async () => {
      const id = await docker("run", "-d", "--name", "web", "-p", "8050:80", "httpd");
      expect(id).toMatch(/^[0-9a-f]{64}$/);
      const page = ["curl", "-sS", "--retry", "20", "--retry-all-errors", "--retry-delay", "1"];
      const { stdout, code } = await run([...page, "http://127.0.0.1:8050/"]);
      expect([code, stdout]).toEqual([0, expect.stringContaining("Apache2 Debian Default Page")]);
      expect(await docker("ps", "--format", "{{.Names}} {{.Image}} {{.Ports}}")).toContain(
        "web httpd 0.0.0.0:8050->80/tcp",
      );
      expect(await docker("port", "web", "80/tcp")).toContain("0.0.0.0:8050");
      expect(
        await docker("inspect", "--format", "{{.State.Status}} {{.HostConfig.NetworkMode}}", "web"),
      ).toBe("running bridge");
      const address = await docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web");
      expect(address).toMatch(/^172\.\d+\.\d+\.\d+$/);
      expect(await docker("exec", "web", "cat", "/etc/hosts")).toContain(address);
      expect(await docker("top", "web", "-o", "pid,comm")).toMatch(/PID\s+COMMAND[\s\S]*(apache2|httpd)/);
      const stats = JSON.parse(await docker("stats", "--no-stream", "--format", "{{json .}}", "web"));
      expect(stats).toMatchObject({ Name: "web", PIDs: expect.stringMatching(/^[1-9]/) });
      expect(stats.MemUsage).toMatch(/^[1-9].* \/ /);
      expect(await docker("stop", "web")).toBe("web");
      expect(await docker("ps", "-aq", "--no-trunc", "--filter", "status=exited")).toBe(id);
      await docker("rm", "web");
    },
    2 * MINUTE,
  );

  test(
    "keeps output, errors and the exit code apart",
    async () => {
      const script = "echo out; echo err >&2; exit 7";
      expect(await dockerCli("run", "--rm", "busybox", "sh", "-c", script)).toEqual({
        code: 7,
        stdout: "out\n",
        stderr: "err\n",
      });
      await docker("run", "--name", "told", "busybox", "sh", "-c", "echo out; echo err >&2");
      expect(await dockerCli("logs", "told")).toEqual({ code: 0, stdout: "out\n", stderr: "err\n" });
      expect(await docker("logs", "--timestamps", "told")).toMatch(/^\d{4}-\d\d-\d\dT\S+Z out$/);
      await docker("rm", "told");
    },
    MINUTE,
  );

  test.each([
    [["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137],
    [["nosuch"], 127],
    [["/etc"], 126],
    [["false"], 1],
  ] as const)(
    "run --rm %j ends as the program does, without a stray word",
    async (words, code) => {
      const outcome = await dockerCli("run", "--rm", "busybox", ...words);
      expect(outcome.code).toBe(code);
      expect(outcome.stderr).not.toContain("waiting for container");
      expect(await docker("ps", "-aq")).toBe("");
    },
    MINUTE,
  );

  test(
    "sends standard input to its end, and reads on after it",
    async () => {
      const input = new Uint8Array(3_000_000).fill(97);
      const words = ["run", "-i", "--rm", "busybox", "sh", "-c", "cat | wc -c; echo after"];
      expect(await ask({ words, input })).toEqual({ code: 0, stdout: "3000000\nafter\n", stderr: "" });
      await docker("create", "-i", "--name", "half", "busybox", "sh", "-c", "wc -c; exit 5");
      const started = await ask({ words: ["start", "-a", "-i", "half"], input: "four" });
      expect(started).toEqual({ code: 5, stdout: "4\n", stderr: "" });
      await docker("rm", "half");
      await docker(
        "run",
        "-d",
        "-i",
        "--name",
        "later",
        "busybox",
        "sh",
        "-c",
        "read word; echo got $word; exit 6",
      );
      expect(await ask({ words: ["attach", "later"], input: "typed\n" })).toEqual({
        code: 6,
        stdout: "got typed\n",
        stderr: "",
      });
      await docker("rm", "later");
    },
    MINUTE,
  );

  test(
    "execs with input, environment, user and exit code",
    async () => {
      await docker("run", "-d", "--name", "box", "busybox", "sleep", "600");
      expect(await ask({ words: ["exec", "-i", "box", "wc", "-c"], input: "12345" })).toMatchObject({
        code: 0,
        stdout: "5\n",
      });
      expect(
        await docker(
          "exec",
          "-e",
          "A=b",
          "-u",
          "nobody",
          "-w",
          "/tmp",
          "box",
          "sh",
          "-c",
          "echo $A $(id -un) $PWD",
        ),
      ).toBe("b nobody /tmp");
      expect((await dockerCli("exec", "box", "sh", "-c", "exit 9")).code).toBe(9);
      expect((await dockerCli("exec", "box", "nosuch")).code).toBe(127);
      expect((await dockerCli("exec", "box", "/etc")).code).toBe(126);
      await docker("rm", "-f", "box");
    },
    MINUTE,
  );

  test(
    "has a terminal of its own by run -it",
    async () => {
      const words = [
        DOCKER,
        "run",
        "-it",
        "--rm",
        "busybox",
        "sh",
        "-c",
        "'tty; until stty size | grep .; do usleep 1000; done; exit 11'",
      ].join(" ");
      await using home = await scratch();
      const { stdout, code } = await run(
        ["script", "--quiet", "--return", "--command", `stty rows 33 cols 77; ${words}`, "/dev/null"],
        { DOCKER_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: home.path },
      );
      expect([code, stdout]).toEqual([
        11,
        expect.stringMatching(/\/dev\/(pts\/0|console)\r\n[\s\S]*33 77\r\n/),
      ]);
    },
    MINUTE,
  );

  test.each(["1.24", "1.30", "1.41"])(
    "that speaks version %s of the API does the same",
    async (DOCKER_API_VERSION) => {
      const environment = { DOCKER_API_VERSION };
      const old = async (...words: readonly string[]) => {
        const { code, stdout, stderr } = await ask({ words, environment });
        expect([code, stderr]).toEqual([0, ""]);
        return stdout.trim();
      };
      expect(await old("version", "--format", "{{.Client.APIVersion}}")).toBe(DOCKER_API_VERSION);
      await old("run", "-d", "--name", "old", "-p", "8051:80", "busybox", "sh", "-c", "echo hi; sleep 600");
      expect(await old("ps", "--format", "{{.Names}} {{.Ports}}")).toContain("old 0.0.0.0:8051->80/tcp");
      expect(await old("logs", "old")).toBe("hi");
      expect(await old("exec", "old", "echo", "there")).toBe("there");
      expect(await old("inspect", "-f", "{{.State.Running}}", "old")).toBe("true");
      expect(await old("images", "--format", "{{.Repository}}")).toContain("busybox");
      expect(await old("info", "--format", "{{.Driver}}")).toMatch(/^(overlay2|vfs)$/);
      expect(await old("stop", "-t", "0", "old")).toBe("old");
      expect(await old("rm", "old")).toBe("old");
      expect(await old("run", "--rm", "busybox", "echo", "done")).toBe("done");
    },
    MINUTE,
  );

  test(
    "is told events as they come",
    async () => {
      const since = String(Date.now() / 1000);
      await docker("run", "--rm", "--name", "eventful", "busybox", "true");
      const until = String(Date.now() / 1000);
      const words = ["events", "--since", since, "--until", until, "--format", "{{.Type}} {{.Action}}"];
      const told = (await docker(...words, "--filter", "container=eventful")).split("\n");
      expect(told).toEqual(expect.arrayContaining(["container create", "container start", "container die"]));
      expect(told.at(-1)).toBe("container destroy");
    },
    MINUTE,
  );
});

describe("python3-docker", () => {
  test(
    "creates, starts, reads, runs, measures and removes",
    async () => {
      const { code, stdout, stderr } = await run(["/usr/bin/python3", SESSION, `unix://${daemon.socket}`]);
      expect([code, stderr]).toEqual([0, ""]);
      const { events, ...saw } = JSON.parse(stdout);
      expect(saw).toEqual({
        ping: true,
        images: expect.arrayContaining(["busybox:latest"]),
        status: "running",
        labels: { a: "b" },
        log: { Type: "local", Config: { "max-size": "1m", "max-file": "2" } },
        lines: ["err", "out"],
        tail: "out\n",
        exec: [4, "in\n", "bad\n"],
        limit: 64 * 1024 * 1024,
        streamed: "/session",
        processes: expect.arrayContaining(["sleep 600"]),
        put: true,
        got: ["hello.txt", 12, "from outside"],
        diff: ["/data"],
        connected: ["session"],
        attach: [1, 0, 0, 0, 0, 0, 0, 6],
        paused: "paused",
        updated: 96 * 1024 * 1024,
        committed: expect.stringContaining("MADE=here"),
        wait: 137,
        run: "hello\n",
        error: [3, "no\n"],
        missing: "No such container: nosuch",
        pruned: [1, ["session-net"], ["session-data"]],
        left: 0,
      });
      expect(events).toEqual(expect.arrayContaining(["create", "start", "kill", "die", "destroy"]));
    },
    MINUTE,
  );
});
