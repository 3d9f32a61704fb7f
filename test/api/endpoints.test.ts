import { describe, expect, test } from "bun:test";
import type { z } from "zod";
import * as api from "#api";
import { Fault } from "#errors";
import type { Jobs } from "#jobs";
import { createApp } from "#server";
import { CONTAINER_ID, containerView, IMAGE_ID } from "../fakes/container-view.ts";
import { type FakeJobs, fakeEngine } from "../fakes/jobs.ts";
import { FACTS } from "../fakes/served.ts";

const JSON_TYPE = { "Content-Type": "application/json" };

function appOver(jobs: FakeJobs) {
  const engine = fakeEngine(jobs);
  const app = createApp({ engine, facts: FACTS });
  const ask = (line: string, init: RequestInit = {}) => {
    const [method = "GET", path = "/"] = line.split(" ");
    return app.fetch(new Request(`http://d${path}`, { ...init, method }));
  };
  const send = (line: string, body: unknown) => ask(line, { body: JSON.stringify(body), headers: JSON_TYPE });
  return { engine, ask, send };
}

const REFERENCE = { domain: "docker.io", path: "library/httpd", tag: "latest" };
const IMAGE = {
  id: IMAGE_ID,
  config: {
    architecture: "amd64",
    os: "linux",
    created: "2026-01-01T00:00:00Z",
    config: { Cmd: ["httpd-foreground"] },
    rootfs: { type: "layers", diff_ids: [] },
  },
  tags: [REFERENCE],
  digests: [],
  size: 10,
  arrivedAt: 1_700_000_000_000,
  containers: 1,
  graphData: { UpperDir: "/u" },
  driver: "overlay2",
} as unknown as Jobs["image.inspect"]["output"];
const VOLUME = {
  name: "data",
  driver: "local",
  mountpoint: "/v/data/_data",
  labels: {},
  options: {},
  created: 1_700_000_000_000,
  isAnonymous: false,
};
const NETWORK = {
  id: "aa",
  name: "bridge",
  driver: "bridge",
  created: 1_700_000_000_000,
  subnet: "172.17.0.0/16",
  gateway: "172.17.0.1",
  ipv6Subnet: "",
  options: {},
  labels: {},
  isInternal: false,
};
const [ENDPOINT] = containerView().endpoints;
const EXEC = {
  id: "e",
  containerId: CONTAINER_ID,
  spec: {
    args: ["ls", "-l"],
    env: [],
    user: "",
    workingDirectory: "",
    tty: false,
    privileged: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    detachKeys: "",
  },
  isRunning: false,
  exitCode: 0,
  pid: 0,
  canRemove: false,
};
const INFO: Jobs["system.info"]["output"] = {
  id: "id",
  name: "host",
  containers: { running: 1, paused: 2, stopped: 3 },
  images: 4,
  driver: "overlay2",
  driverStatus: [["Backing Filesystem", "extfs"]],
  dataRoot: "/data",
  execDrivers: ["native"],
  networkDrivers: ["bridge"],
  volumeDrivers: ["local"],
  logDrivers: ["json-file"],
  logDriver: "json-file",
  swapLimit: true,
  cgroupVersion: "2",
  cgroupDriver: "cgroupfs",
  cgroupControllers: ["memory"],
  kernelVersion: "6.18",
  operatingSystem: "Debian",
  architecture: "x86_64",
  cpus: 2,
  memoryBytes: 1,
  securityOptions: [],
  ipForward: true,
  bridgeNfIptables: false,
  bridgeNfIp6tables: false,
  registry: { mirrors: [], insecure: ["10.0.0.0/8", "reg:5000"] },
  labels: [],
  debug: false,
  descriptors: 1,
  jobs: 0,
  eventListeners: 0,
  liveRestore: true,
  defaultAddressPools: [],
  warnings: [],
  systemTime: "2026-01-01T00:00:00Z",
  version: "0.1.0",
};

const JOBS: FakeJobs = {
  "container.create": () => ({ id: CONTAINER_ID, warnings: [] }),
  "container.list": () => [containerView()],
  "container.inspect": () => containerView(),
  "container.start": () => ({ changed: true }),
  "container.stop": () => ({ changed: true }),
  "container.restart": () => ({}),
  "container.kill": () => ({}),
  "container.remove": () => ({}),
  "container.pause": () => ({}),
  "container.unpause": () => ({}),
  "container.rename": () => ({}),
  "container.update": () => ({ warnings: [] }),
  "container.resize": () => ({}),
  "container.top": () => ({ titles: ["PID"], processes: [["1"]] }),
  "container.changes": () => [{ path: "/a", kind: 1 }],
  "container.prune": () => ({ deleted: [CONTAINER_ID], reclaimedBytes: 5 }),
  "container.wait": () => ({ result: Promise.resolve({ code: 3 }), cancel: () => undefined }),
  "exec.create": () => ({ id: "e" }),
  "exec.inspect": () => EXEC,
  "exec.resize": () => ({}),
  "image.list": () => [IMAGE],
  "image.inspect": () => IMAGE,
  "image.history": () => [
    { id: IMAGE_ID, created: "2026-01-01T00:00:00Z", createdBy: "x", size: 1, comment: "", tags: [] },
  ],
  "image.tag": () => ({}),
  "image.remove": () => ({ untagged: ["httpd:latest"], deleted: [IMAGE_ID] }),
  "image.prune": () => ({ untagged: [], deleted: [IMAGE_ID], reclaimedBytes: 5 }),
  "volume.list": () => [VOLUME],
  "volume.create": () => VOLUME,
  "volume.inspect": () => VOLUME,
  "volume.remove": () => ({}),
  "network.list": () => [NETWORK],
  "network.inspect": () => ({
    network: NETWORK,
    endpoints: ENDPOINT === undefined ? [] : [{ containerId: CONTAINER_ID, name: "web", endpoint: ENDPOINT }],
  }),
  "system.info": () => INFO,
  "job.list": () => [
    { id: "1", name: "image.pull", arguments: {}, phase: "started", startedAt: 1, status: "running" },
  ],
  "job.cancel": () => ({}),
};

/** [request, body or nothing, status, the job that is run and its input, schema of the reply] */
type Row = readonly [string, unknown, number, readonly [string, unknown] | undefined, z.ZodType?];

const ENDPOINTS: readonly Row[] = [
  ["GET /version", undefined, 200, undefined, api.Version],
  ["GET /info", undefined, 200, ["system.info", {}], api.Info],
  [
    "GET /containers/json?all=1&size=1",
    undefined,
    200,
    ["container.list", { all: true, limit: 0, size: true, filters: {} }],
    api.ContainerSummary.array(),
  ],
  [
    "GET /containers/json?limit=3",
    undefined,
    200,
    ["container.list", { all: true, limit: 3, size: false, filters: {} }],
  ],
  [
    "GET /containers/json?filters=%7B%22name%22%3A%7B%22web%22%3Atrue%7D%7D",
    undefined,
    200,
    ["container.list", { all: false, limit: 0, size: false, filters: { name: ["web"] } }],
  ],
  ["POST /containers/create?name=web", { Image: "httpd" }, 201, undefined, api.ContainerCreated],
  [
    "GET /containers/web/json",
    undefined,
    200,
    ["container.inspect", { ref: "web", size: false }],
    api.ContainerInspect,
  ],
  [
    "GET /containers/web/top?ps_args=-o%20pid",
    undefined,
    200,
    ["container.top", { ref: "web", psArgs: ["-o", "pid"] }],
    api.ContainerTop,
  ],
  [
    "GET /containers/web/changes",
    undefined,
    200,
    ["container.changes", { ref: "web" }],
    api.ContainerChange.array(),
  ],
  ["POST /containers/web/start", undefined, 204, ["container.start", { ref: "web" }]],
  [
    "POST /containers/web/stop?t=-1&signal=HUP",
    undefined,
    204,
    ["container.stop", { ref: "web", timeoutSeconds: -1, signal: "HUP" }],
  ],
  ["POST /containers/web/stop", undefined, 204, ["container.stop", { ref: "web" }]],
  [
    "POST /containers/web/restart?t=0",
    undefined,
    204,
    ["container.restart", { ref: "web", timeoutSeconds: 0 }],
  ],
  ["POST /containers/web/kill", undefined, 204, ["container.kill", { ref: "web", signal: "SIGKILL" }]],
  ["POST /containers/web/kill?signal=15", undefined, 204, ["container.kill", { ref: "web", signal: "15" }]],
  ["POST /containers/web/pause", undefined, 204, ["container.pause", { ref: "web" }]],
  ["POST /containers/web/unpause", undefined, 204, ["container.unpause", { ref: "web" }]],
  [
    "POST /containers/web/rename?name=/shop",
    undefined,
    204,
    ["container.rename", { ref: "web", name: "shop" }],
  ],
  [
    "POST /containers/web/resize?h=24&w=80",
    undefined,
    200,
    ["container.resize", { ref: "web", rows: 24, columns: 80 }],
  ],
  [
    "POST /containers/web/update",
    { Memory: 7 },
    200,
    ["container.update", { ref: "web", resources: { memory: 7 } }],
    api.Warned,
  ],
  [
    "POST /containers/web/wait",
    undefined,
    200,
    ["container.wait", { ref: "web", condition: "not-running" }],
    api.ContainerWait,
  ],
  [
    "DELETE /containers/web?force=1&v=true",
    undefined,
    204,
    ["container.remove", { ref: "web", force: true, volumes: true, link: false }],
  ],
  ["POST /containers/prune", undefined, 200, ["container.prune", { filters: {} }], api.ContainersPruned],
  ["POST /containers/web/exec", { Cmd: ["ls"] }, 201, undefined, api.Created],
  ["GET /exec/e/json", undefined, 200, ["exec.inspect", { id: "e" }], api.ExecInspect],
  ["POST /exec/e/resize?h=1&w=2", undefined, 200, ["exec.resize", { id: "e", rows: 1, columns: 2 }]],
  ["GET /images/json", undefined, 200, ["image.list", { all: false, filters: {} }], api.ImageSummary.array()],
  [
    "GET /images/localhost:5000/a/b:x/json",
    undefined,
    200,
    ["image.inspect", { ref: "localhost:5000/a/b:x" }],
    api.ImageInspect,
  ],
  [
    "GET /images/localhost%3A5000%2Fa%2Fb/json",
    undefined,
    200,
    ["image.inspect", { ref: "localhost:5000/a/b" }],
  ],
  [
    "GET /images/httpd/history",
    undefined,
    200,
    ["image.history", { ref: "httpd" }],
    api.ImageHistory.array(),
  ],
  [
    "POST /images/a/b/tag?repo=c/d",
    undefined,
    201,
    ["image.tag", { ref: "a/b", repository: "c/d", tag: "latest" }],
  ],
  [
    "DELETE /images/a/b?force=1&noprune=1",
    undefined,
    200,
    ["image.remove", { ref: "a/b", force: true, prune: false }],
    api.ImageRemoved.array(),
  ],
  ["POST /images/prune", undefined, 200, ["image.prune", { filters: {} }], api.ImagesPruned],
  ["GET /volumes", undefined, 200, ["volume.list", { filters: {} }], api.VolumeList],
  [
    "POST /volumes/create",
    { Name: "data" },
    201,
    ["volume.create", { name: "data", labels: {}, options: {} }],
    api.VolumeInspect,
  ],
  ["GET /volumes/data", undefined, 200, ["volume.inspect", { name: "data" }], api.VolumeInspect],
  ["DELETE /volumes/data?force=1", undefined, 204, ["volume.remove", { name: "data", force: true }]],
  ["GET /networks", undefined, 200, ["network.list", { filters: {} }], api.NetworkSummary.array()],
  ["GET /networks/bridge", undefined, 200, ["network.inspect", { ref: "bridge" }], api.NetworkInspect],
  ["GET /bunker/jobs", undefined, 200, ["job.list", {}], api.JobSummary.array()],
  ["POST /bunker/jobs/1/cancel", undefined, 204, ["job.cancel", { id: "1" }]],
  ["GET /plugins", undefined, 200, undefined],
];

describe("an endpoint runs one job and answers in the API's shape", () => {
  test.each(ENDPOINTS.map((row) => [row[0], row] as const))(
    "%s",
    async (_title, [line, body, status, call, schema]) => {
      const { engine, ask, send } = appOver(JOBS);
      const response = await (body === undefined ? ask(line) : send(line, body));
      expect(response.status).toBe(status);
      if (call !== undefined) expect(engine.calls).toEqual([{ name: call[0], input: call[1] }]);
      const text = await response.text();
      if (status === 204) expect(text).toBe("");
      if (schema !== undefined) expect(() => schema.parse(JSON.parse(text))).not.toThrow();
    },
  );

  test.each(["POST /containers/web/start", "POST /containers/web/stop"])(
    "%s changes nothing: 304 without a body",
    async (line) => {
      const unchanged = () => ({ changed: false });
      const { ask } = appOver({ "container.start": unchanged, "container.stop": unchanged });
      const response = await ask(line);
      expect([response.status, await response.text()]).toEqual([304, ""]);
    },
  );
});

describe("every reply", () => {
  const LINES = [
    "GET /_ping",
    "GET /nowhere",
    "GET /v9.99/info",
    "GET /containers/web/json",
    "POST /swarm/init",
    "OPTIONS /info",
  ];
  test.each(LINES)("says who answered: %s", async (line) => {
    const { headers } = await appOver({}).ask(line);
    expect(headers.get("Api-Version")).toBe("1.56");
    expect(headers.get("Ostype")).toBe("linux");
    expect(headers.get("Docker-Experimental")).toBe("false");
    expect(headers.get("Server")).toBe("bunker/0.1.0 (linux)");
  });
});

describe("the version in the path", () => {
  test.each([
    ["/v1.57/_ping", "client version 1.57 is too new. Maximum supported API version is 1.56"],
    [
      "/v1.23/_ping",
      "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
    ],
  ])("%s is refused in Docker's words", async (path, message) => {
    const response = await appOver({}).ask(`GET ${path}`);
    expect([response.status, await response.json()]).toEqual([400, { message }]);
  });

  test.each(["/_ping", "/v1.24/_ping", "/v1.56/_ping", "//v1.41//_ping", "/v1.41/_ping/"])(
    "%s is served",
    async (path) => {
      expect((await appOver({}).ask(`GET ${path}`)).status).toBe(200);
    },
  );

  test("decides which fields there are", async () => {
    const { ask } = appOver(JOBS);
    const [old, young] = await Promise.all(
      ["1.43", "1.44"].map(async (v) =>
        api.ImageSummary.array().parse(await (await ask(`GET /v${v}/images/json`)).json()),
      ),
    );
    expect([old?.[0]?.VirtualSize, young?.[0]?.VirtualSize]).toEqual([10, undefined]);
  });
});

describe("_ping", () => {
  test.each([
    ["GET", "OK", "2"],
    ["HEAD", "", "0"],
  ])("%s", async (method, text, length) => {
    const response = await appOver({}).ask(`${method} /_ping`);
    expect([await response.text(), response.headers.get("Content-Length")]).toEqual([text, length]);
    expect(response.headers.get("Builder-Version")).toBe("1");
    expect(response.headers.get("Swarm")).toBe("inactive");
    expect(response.headers.get("Cache-Control")).toBe("no-cache, no-store, must-revalidate");
  });
});

describe("a fault becomes a status", () => {
  test.each([
    ["invalid", 400],
    ["unauthorized", 401],
    ["denied", 403],
    ["not_found", 404],
    ["conflict", 409],
    ["unsupported", 501],
    ["unavailable", 503],
    ["internal", 500],
  ] as const)("%s: %p", async (kind, status) => {
    const { ask } = appOver({
      "container.inspect": () => {
        throw new Fault(kind, "No such container: web");
      },
    });
    const response = await ask("GET /containers/web/json");
    expect([response.status, await response.json()]).toEqual([status, { message: "No such container: web" }]);
    expect(response.headers.get("Content-Type")).toBe("application/json");
  });

  test("a path that is none: 404 page not found", async () => {
    const response = await appOver({}).ask("GET /containers");
    expect([response.status, await response.json()]).toEqual([404, { message: "page not found" }]);
  });

  test.each([
    ["GET /swarm", 503, "This node is not a swarm manager."],
    ["GET /services/x/logs", 503, "This node is not a swarm manager."],
    ["POST /build?t=x", 501, "Cannot build an image"],
    ["POST /session", 501, "Cannot open a session"],
    ["GET /images/a/b/get", 501, "Cannot save the image"],
    ["POST /images/a/b/push", 501, "Cannot push the image"],
    ["POST /plugins/pull", 501, "plugins are not supported"],
    ["HEAD /containers/web/archive?path=/", 501, ""],
    ["POST /containers/web/start?checkpoint=x", 501, "checkpoints are not supported"],
  ])("what is not there says so: %s", async (line, status, message) => {
    const response = await appOver(JOBS).ask(line);
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(message);
  });
});

describe("malformed input is never the server's fault", () => {
  const LINES = [
    "GET /containers/json?filters=x",
    "GET /containers/json?filters=%7B%22colour%22%3A%5B%5D%7D",
    "GET /containers/json?limit=x",
    "GET /containers/%00/json",
    "GET /containers/web/logs",
    "GET /containers/web/logs?stdout=1&since=yesterday",
    "GET /containers/web/stats?stream=1&one-shot=1",
    "GET /events?since=x",
    "GET /events?filters=%5B%5D",
    "GET /images/json?filters=%7B",
    "POST /containers/create",
    "POST /containers/web/exec",
    "POST /containers/web/wait?condition=sometime",
    "POST /containers/web/stop?t=soon",
    "POST /containers/web/resize",
    "POST /containers/web/resize?h=-1&w=3",
    "POST /containers/web/rename",
    "POST /images/create",
    "POST /images/httpd/tag",
    "POST /exec/e/resize?h=x&w=1",
  ];
  test.each(LINES)("%s: 400", async (line) => {
    const response = await appOver(JOBS).ask(line);
    expect(response.status).toBe(400);
    const text = await response.text();
    expect(() => api.ProblemBody.strict().parse(JSON.parse(text))).not.toThrow();
  });

  test.each([
    "{",
    "[]",
    "1",
    '"x"',
    "{} {}",
    '{"Image":1}',
    '{"Image":"x","HostConfig":{"Memory":"1g"}}',
    "\xff",
  ])("create with %j: 400", async (body) => {
    const response = await appOver(JOBS).ask("POST /containers/create", { body, headers: JSON_TYPE });
    expect(response.status).toBe(400);
  });

  test("a body that is not declared as JSON: 400 in Docker's words", async () => {
    const headers = { "Content-Type": "text/plain" };
    const response = await appOver(JOBS).ask("POST /containers/create", { body: '{"Image":"x"}', headers });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("must be 'application/json'");
  });

  test("a body beyond the limit: 400", async () => {
    const body = JSON.stringify({ Image: "x".repeat(5 * 1024 * 1024) });
    const response = await appOver(JOBS).ask("POST /containers/create", { body, headers: JSON_TYPE });
    expect(response.status).toBe(400);
  });

  test("a percent sign that escapes nothing is part of the name", async () => {
    const { ask, engine } = appOver(JOBS);
    expect((await ask("GET /containers/50%/json")).status).toBeLessThan(500);
    expect(engine.calls.length).toBeLessThanOrEqual(1);
  });
});

describe("a pull", () => {
  const IDS = { id: IMAGE_ID, digest: IMAGE_ID, changed: true } as unknown as Jobs["image.pull"]["output"];

  test("takes its reference, platform and credentials from the request", async () => {
    let auth: string | undefined;
    const { engine, ask } = appOver({
      "image.pull": (_input, { environment }) => {
        auth = environment.REGISTRY_AUTH;
        return IDS;
      },
    });
    const headers = { "X-Registry-Auth": Buffer.from('{"username":"u"}').toString("base64url") };
    const response = await ask("POST /images/create?fromImage=httpd&tag=2.4&platform=linux/arm64", {
      headers,
    });
    expect([response.status, auth]).toEqual([200, '{"username":"u"}']);
    expect(engine.calls[0]?.input).toEqual({
      reference: "httpd:2.4",
      allTags: false,
      platform: "linux/arm64",
    });
  });

  test("that fails before its first line has a status", async () => {
    const { ask } = appOver({
      "image.pull": () => {
        throw new Fault("not_found", "pull access denied");
      },
    });
    expect((await ask("POST /images/create?fromImage=x&tag=y")).status).toBe(404);
  });

  test("that fails later says so in its last line", async () => {
    const { ask } = appOver({
      "image.pull": (_input, { report }) => {
        report({ kind: "status", status: "Pulling from library/httpd", id: "latest" });
        report({ kind: "status", status: "Downloading", id: "abc", current: 1, total: 2 });
        report({ kind: "aux", aux: { Digest: "sha256:x" } });
        throw new Fault("internal", "the layer broke");
      },
    });
    const response = await ask("POST /images/create?fromImage=x&tag=y");
    const lines = (await response.text())
      .trimEnd()
      .split("\r\n")
      .map((line) => api.ProgressLine.parse(JSON.parse(line)));
    expect(response.status).toBe(200);
    expect(lines).toEqual([
      { status: "Pulling from library/httpd", progressDetail: {}, id: "latest" },
      { status: "Downloading", progressDetail: { current: 1, total: 2 }, id: "abc" },
      { aux: { Digest: "sha256:x" } },
      { errorDetail: { message: "the layer broke" }, error: "the layer broke" },
    ]);
  });
});
