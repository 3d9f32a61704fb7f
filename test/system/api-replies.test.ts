import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FakeRegistry } from "../fakes/registry.ts";
import { checked, replyOf } from "../fakes/replies.ts";
import { TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
/** Each on one side of some field's coming or going. */
const VERSIONS = ["1.24", "1.43", "1.48", "1.51", "1.52", "1.56"];

let fake: FakeRegistry;
let daemon: TestDaemon;

/** Asks, and holds the reply to the schema of its route. */
async function asked(route: string, path: string, version = "1.56", body?: unknown): Promise<Response> {
  const [method = "GET"] = route.split(" ");
  return checked(await daemon.request(method, `/v${version}${path}`, body), route);
}

beforeAll(async () => {
  await requirePackages([]);
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  await asked("POST /images/create", "/images/create?fromImage=busybox&tag=latest").then((r) => r.text());
  await daemon.ok("network", "create", "--subnet", "10.213.7.0/24", "--label", "a=b", "front");
  await daemon.ok("volume", "create", "--label", "a=b", "data");
  const everything = [
    ...["-l", "a=b", "-p", "8070:80", "--expose", "81/udp", "--network", "front", "--network-alias", "shop"],
    ...["--ip", "10.213.7.9", "-v", "data:/data", "-v", "/tmp:/host:ro", "--tmpfs", "/t:size=1m"],
    ...["--mount", "type=volume,src=more,dst=/more,volume-nocopy,volume-label=x=y"],
    ...["--health-cmd", "true", "--health-interval", "100ms", "--annotation", "x=y", "--init"],
    ...[
      "-m",
      "64m",
      "--cpus",
      "0.5",
      "--ulimit",
      "nofile=64:128",
      "--cap-add",
      "NET_ADMIN",
      "--stop-timeout",
      "3",
    ],
    ...["--restart", "on-failure:3", "--add-host", "a:1.2.3.4", "--device", "/dev/null:/dev/zilch:r"],
    ...["--sysctl", "net.ipv4.ip_forward=1", "--log-opt", "max-size=1m", "--dns", "10.213.7.1"],
  ];
  await daemon.ok("run", "-d", "--name", "rich", ...everything, "busybox", "sleep", "600");
  await daemon.ok("run", "-d", "--name", "typist", "-t", "-i", "busybox", "sh");
  await daemon.ok("create", "--name", "unborn", "busybox", "true");
  await daemon
    .ok("run", "--name", "gone", "--network", "none", "busybox", "sh", "-c", "echo said; exit 3")
    .catch(() => "");
  await daemon.ok("run", "-d", "--name", "guest", "--network", "container:rich", "busybox", "sleep", "600");
  await daemon.ok("pause", "guest");
  await daemon.ok("exec", "rich", "touch", "/new");
}, 10 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

const NAMES = ["rich", "typist", "unborn", "gone", "guest"];

describe.each(VERSIONS)("every reply of API %s is in its schema", (version) => {
  const GETS: readonly (readonly [string, string])[] = [
    ["GET /version", "/version"],
    ["GET /info", "/info"],
    ["GET /system/df", "/system/df"],
    ["GET /system/df", "/system/df?verbose=1&type=container&type=volume"],
    ["GET /containers/json", "/containers/json?all=1&size=1"],
    ...NAMES.map((name) => ["GET /containers/:id/json", `/containers/${name}/json?size=1`] as const),
    ["GET /containers/:id/top", "/containers/rich/top"],
    ["GET /containers/:id/changes", "/containers/rich/changes"],
    ["GET /containers/:id/stats", "/containers/rich/stats?stream=0&one-shot=1"],
    ["GET /containers/:id/stats", "/containers/gone/stats?stream=0&one-shot=1"],
    ["GET /containers/:id/logs", "/containers/gone/logs?stdout=1"],
    ["GET /events", "/events?since=1&until=2"],
    ["GET /images/json", "/images/json?all=1&shared-size=1"],
    ["GET /images/:name{.+}/json", "/images/busybox/json"],
    ["GET /images/:name{.+}/history", "/images/busybox/history"],
    ["GET /distribution/:name{.+}/json", "/distribution/busybox/json"],
    ["GET /volumes", "/volumes"],
    ["GET /volumes/:name", "/volumes/data"],
    ["GET /networks", "/networks"],
    ["GET /networks/:id", "/networks/front?verbose=1"],
    ["GET /networks/:id", "/networks/bridge"],
    ["GET /plugins", "/plugins"],
  ];
  test(
    "of what is looked at",
    async () => {
      for (const [route, path] of GETS)
        expect([path, (await asked(route, path, version)).status]).toEqual([path, 200]);
    },
    MINUTE,
  );

  test(
    "of what is changed",
    async () => {
      const created = await asked("POST /containers/create", "/containers/create?name=made", version, {
        Image: "busybox",
        Cmd: ["true"],
      });
      const { Id } = (await created.json()) as { Id: string };
      const of = (route: string, path: string, body?: unknown) => asked(route, path, version, body);
      expect(
        (await of("POST /containers/:id/update", `/containers/${Id}/update`, { Memory: 67108864 })).status,
      ).toBe(200);
      expect((await of("POST /containers/:id/start", `/containers/${Id}/start`)).status).toBe(204);
      const waited = await of("POST /containers/:id/wait", `/containers/${Id}/wait`);
      expect(await waited.json()).toEqual({ StatusCode: 0 });
      expect((await of("POST /containers/:id/stop", `/containers/${Id}/stop`)).status).toBe(304);
      expect((await of("POST /containers/:id/kill", `/containers/${Id}/kill`)).status).toBe(409);
      expect(
        (await of("POST /containers/:id/exec", `/containers/${Id}/exec`, { Cmd: ["true"] })).status,
      ).toBe(409);
      const exec = await of("POST /containers/:id/exec", "/containers/rich/exec", {
        Cmd: ["true"],
        User: "0",
      });
      const { Id: execId } = (await exec.json()) as { Id: string };
      expect((await of("GET /exec/:id/json", `/exec/${execId}/json`)).status).toBe(200);
      const commit = await of("POST /commit", `/commit?container=${Id}&repo=kept`, {});
      expect(commit.status).toBe(201);
      expect((await of("DELETE /images/:name{.+}", "/images/kept")).status).toBe(200);
      expect((await of("DELETE /containers/:id", `/containers/${Id}`)).status).toBe(204);
      const prunes = ["/containers/prune", "/networks/prune", "/volumes/prune", "/images/prune"];
      const nothing = `?filters=${encodeURIComponent('{"label":["no=such"]}')}`;
      for (const path of prunes) expect((await of(`POST ${path}`, `${path}${nothing}`)).status).toBe(200);
      const network = await of("POST /networks/create", "/networks/create", { Name: "back" });
      expect(network.status).toBe(201);
      expect(
        (await of("POST /networks/:id/connect", "/networks/back/connect", { Container: "typist" })).status,
      ).toBe(200);
      expect(
        (await of("POST /networks/:id/disconnect", "/networks/back/disconnect", { Container: "typist" }))
          .status,
      ).toBe(200);
      expect((await of("DELETE /networks/:id", "/networks/back")).status).toBe(204);
      expect((await of("POST /volumes/create", "/volumes/create", { Name: "vol" })).status).toBe(201);
      expect((await of("DELETE /volumes/:name", "/volumes/vol")).status).toBe(204);
    },
    MINUTE,
  );
});

test(
  "events of all that are in their schema, each with its attributes",
  async () => {
    const until = Math.ceil(Date.now() / 1000);
    for (const version of ["1.51", "1.52"]) {
      const reply = await asked("GET /events", `/events?since=1&until=${until}`, version);
      expect((await reply.text()).split("\n").length).toBeGreaterThan(50);
    }
    expect(replyOf("GET /events").kind).toBe("lines");
  },
  MINUTE,
);
