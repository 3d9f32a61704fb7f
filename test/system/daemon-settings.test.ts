import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { type Scratch, scratch } from "../fakes/scratch.ts";
import { BUNKER, run, TestDaemon } from "../fixtures/daemon.ts";
import { describeFlags } from "../fixtures/flag-probes.ts";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";
import { type ServedImages, serveImages } from "../fixtures/served-images.ts";

/** Everything but the making of folders. */
const PROFILE = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }],
};
const INIT = '#!/bin/sh\nshift\nexport STARTED_BY=own-init\nexec "$@"\n';

const METRICS = "127.0.0.1:19323";

let place: Scratch;
let part: HostPart;

beforeAll(async () => {
  place = await scratch();
  await Bun.write(`${place.path}/profile.json`, JSON.stringify(PROFILE));
  await Bun.write(`${place.path}/init`, INIT);
  await chmod(`${place.path}/init`, 0o755);
  await Bun.write(
    `${place.path}/daemon.json`,
    JSON.stringify({
      "default-ulimits": { nofile: { Name: "nofile", Soft: 123, Hard: 456 } },
      "min-api-version": "1.40",
      "seccomp-profile": `${place.path}/profile.json`,
      "init-path": `${place.path}/init`,
      "log-format": "json",
      "default-shm-size": "3m",
      dns: ["10.3.3.3"],
    }),
  );
  const flags = [
    "--default-cgroupns-mode=host",
    "--default-ipc-mode=shareable",
    "--init",
    "--experimental",
    "--metrics-addr",
    METRICS,
  ];
  part = await HostPart.openWith([...flags, "--config-file", `${place.path}/daemon.json`], "busybox");
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
}, PATIENCE);

describeFlags(
  "what containers get that ask for nothing",
  [
    {
      flag: "default-cgroupns-mode",
      words: [],
      look: "readlink /proc/self/ns/cgroup",
      sees: readlinkSync("/proc/self/ns/cgroup"),
    },
    { flag: "default-ulimits", words: [], look: "ulimit -Sn; ulimit -Hn", sees: "123\n456" },
    { flag: "seccomp-profile", words: [], look: "mkdir /tmp/x", sees: /not supported/ },
    {
      flag: "init-path",
      words: [],
      look: "echo $STARTED_BY; mount | grep -c docker-init",
      sees: "own-init\n1",
    },
    { flag: "default-shm-size", words: [], look: "df -k /dev/shm | awk 'END {print $2}'", sees: "3072" },
    { flag: "dns", words: [], look: "grep nameserver /etc/resolv.conf", sees: "nameserver 10.3.3.3" },
  ],
  () => ({ part }),
);

test("a container that asks for something gets that", async () => {
  const words = [
    "--security-opt",
    "seccomp=builtin",
    "--ulimit",
    "nofile=99",
    "--init=false",
    "--cgroupns",
    "private",
  ];
  const script = "mkdir /tmp/x && ulimit -n; echo $STARTED_BY; readlink /proc/self/ns/cgroup";
  const [made, by, group] = (
    await part.daemon.ok("run", "--rm", ...words, "busybox", "sh", "-c", script)
  ).split("\n");
  expect([made, by]).toEqual(["99", ""]);
  expect(group).not.toBe(readlinkSync("/proc/self/ns/cgroup"));
});

test("default-ipc-mode shareable lets another container in", async () => {
  const { id } = await part.start(["sleep", "600"]);
  const shown = await part.daemon.ok(
    "run",
    "--rm",
    "--ipc",
    `container:${id}`,
    "busybox",
    "readlink",
    "/proc/self/ns/ipc",
  );
  expect(shown).toBe(await part.daemon.ok("exec", id, "readlink", "/proc/self/ns/ipc"));
  await part.remove(id);
});

test("info and version tell of them, and older clients are refused", async () => {
  expect(await part.daemon.json<object>("/info")).toMatchObject({
    ExperimentalBuild: true,
    InitBinary: `${place.path}/init`,
    LiveRestoreEnabled: true,
    SecurityOptions: expect.arrayContaining([`name=seccomp,profile=${place.path}/profile.json`]),
  });
  expect(await part.daemon.json<object>("/version")).toMatchObject({ MinAPIVersion: "1.40" });
  const { status, headers } = await part.daemon.request("GET", "/v1.39/info");
  expect([status, headers.get("Docker-Experimental")]).toEqual([400, "true"]);
  expect((await part.daemon.request("GET", "/v1.40/info")).status).toBe(200);
});

test("metrics-addr serves what was counted", async () => {
  await part.run(["true"]);
  const text = await (await fetch(`http://${METRICS}/metrics`)).text();
  const figure = (name: string) =>
    Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`${name} `))
        ?.split(" ")[1],
    );
  expect(figure('engine_daemon_container_actions_seconds_count{action="start"}')).toBeGreaterThan(0);
  expect(figure("engine_daemon_events_total")).toBeGreaterThan(3);
  expect(figure('engine_daemon_container_states_containers{state="running"}')).toBe(0);
  expect(figure("process_open_fds")).toBeGreaterThan(3);
});

test("log-format json is an object a line", async () => {
  await part.daemon.stop();
  const lines = (await part.daemon.log())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { level: string; msg: string });
  expect(lines).toContainEqual(
    expect.objectContaining({ level: "info", msg: expect.stringContaining("Listening on") }),
  );
  await part.daemon.start();
});

test(
  "live-restore false, taken over by SIGHUP, ends containers with the daemon, and their policies count again",
  async () => {
    const waits = ["busybox", "sh", "-c", "trap 'exit 0' TERM; echo up; while :; do sleep 600 & wait; done"];
    const ok = (...words: readonly string[]) => part.daemon.ok(...words);
    const states = () =>
      ok("ps", "-a", "--format", "{{.Names}} {{.State}}").then((text) => text.split("\n").sort());
    for (const [name, policy] of [
      ["keeps", "always"],
      ["rests", "no"],
      ["fails", "on-failure"],
    ] as const)
      await ok("run", "-d", "--init=false", "--name", name, "--restart", policy, ...waits);
    const file = `${place.path}/daemon.json`;
    const before = await Bun.file(file).json();
    await Bun.write(file, JSON.stringify({ ...before, "live-restore": false, "shutdown-timeout": 60 }));
    process.kill(part.daemon.pid, "SIGHUP");
    await until(
      () => part.daemon.json<{ LiveRestoreEnabled: boolean }>("/info"),
      ({ LiveRestoreEnabled }) => !LiveRestoreEnabled,
    );
    for (const name of ["keeps", "rests", "fails"])
      await until(
        () => ok("logs", name),
        (said) => said === "up",
      );
    await part.daemon.stop();
    await Bun.write(file, JSON.stringify(before));
    await part.daemon.start();
    await until(states, (lines) => lines.includes("keeps running"));
    expect(await states()).toEqual(["fails exited", "keeps running", "rests exited"]);
    expect(await ok("inspect", "-f", "{{.State.ExitCode}}", "rests")).toBe("0");
    await ok("rm", "-f", "keeps", "rests", "fails");
  },
  PATIENCE,
);

describe("proxies", () => {
  test(
    "pull goes by the proxy of the settings, or of the environment, and info hides its password",
    async () => {
      await using images: ServedImages = serveImages();
      const asked: string[] = [];
      await using proxy = Object.assign(
        Bun.serve({
          port: 0,
          fetch(request) {
            asked.push(`${request.headers.get("proxy-authorization") ?? ""} ${request.url}`);
            const { pathname } = new URL(request.url);
            return fetch(`${images.url}${pathname}`, {
              method: request.method,
              headers: { Accept: request.headers.get("accept") ?? "" },
            });
          },
        }),
        {},
      );
      const mirror = ["--registry-mirror", "http://mirror.invalid", "--insecure-registry", "mirror.invalid"];
      const url = `http://user:word@127.0.0.1:${proxy.port}`;
      await using daemon = await TestDaemon.start({
        args: [...mirror, "--http-proxy", url],
        environment: { HTTP_PROXY: "http://127.0.0.1:1" },
      });
      await daemon.ok("pull", "-q", "busybox");
      const word = Buffer.from("user:word").toString("base64");
      expect(asked[0]).toContain(`Basic ${word} http://mirror.invalid/v2/`);
      expect(await daemon.json<object>("/info")).toMatchObject({
        HttpProxy: `http://xxxxx:xxxxx@127.0.0.1:${proxy.port}`,
      });
    },
    PATIENCE,
  );
});

test.each([
  [["--seccomp-profile", "/nosuch"], /seccomp profile \/nosuch/],
  [["--init-path", "/etc/passwd"], /init \/etc\/passwd.*no program/],
  [["--default-ulimit", "nofile=9:1"], /soft limit is above/],
  [["--default-ulimit", "nosuch=1"], /no such limit/],
  [["--feature", "containerd-snapshotter=true"], /never by containerd/],
  [["--http-proxy", "socks5://x"], /proxy/],
  [["--default-ipc-mode", "host"], /default-ipc-mode/],
])("%j is refused by --validate", async (words, says) => {
  const outcome = await run([BUNKER, "daemon", "--validate", "--config-file", "/dev/null", ...words]);
  expect(outcome).toMatchObject({ code: 1, stderr: expect.stringMatching(says) });
});
