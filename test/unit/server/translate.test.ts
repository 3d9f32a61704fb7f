import { describe, expect, test } from "bun:test";
import { ContainerCreateBody, ContainerInspect, ContainerStats, ContainerSummary, UpdateBody } from "#api";
import { toContainerSpec } from "../../../src/server/translate/container-create.ts";
import { toContainerInspect } from "../../../src/server/translate/container-inspect.ts";
import { toContainerSummary } from "../../../src/server/translate/container-list.ts";
import { toStatusText } from "../../../src/server/translate/container-state.ts";
import { toEventMessage } from "../../../src/server/translate/event.ts";
import { CONTAINER_FILTERS, parseFilters } from "../../../src/server/translate/filters.ts";
import { toResourceSpec } from "../../../src/server/translate/host-spec.ts";
import { parsePorts } from "../../../src/server/translate/ports.ts";
import { familiar, isPinned, joinReference } from "../../../src/server/translate/reference.ts";
import { decodeRegistryAuth } from "../../../src/server/translate/registry-auth.ts";
import { toContainerStats } from "../../../src/server/translate/stats.ts";
import { humanDuration } from "../../../src/server/translate/time.ts";
import { containerView } from "../../fakes/container-view.ts";

describe("a port key", () => {
  test.each([
    ["80", ["80/tcp"]],
    ["80/tcp", ["80/tcp"]],
    ["53/UDP", ["53/udp"]],
    ["8000-8002/sctp", ["8000/sctp", "8001/sctp", "8002/sctp"]],
  ])("%p means %p", (text, ports) => {
    expect(parsePorts(text)).toEqual(ports);
  });

  test.each(["", "tcp", "80/http", "0/tcp", "70000", "90-80", "80/tcp/x", "-80", "80-", " 80"])(
    "%p is refused",
    (text) => {
      expect(() => parsePorts(text)).toThrow("Invalid port specification");
    },
  );
});

describe("filters", () => {
  test.each([
    [undefined, {}],
    ["", {}],
    ["null", {}],
    ["{}", {}],
    ['{"label":["a=b"]}', { label: ["a=b"] }],
    ['{"label":{"a=b":true,"c":false}}', { label: ["a=b", "c"] }],
    ['{"name":[],"status":["exited"]}', { status: ["exited"] }],
  ])("%p is %p", (text, filters) => {
    expect(parseFilters(text, CONTAINER_FILTERS)).toEqual(filters);
  });

  test.each(["[]", "1", "x", '{"label":1}', '{"label":[1]}', '{"colour":["red"]}', '{"status":["asleep"]}'])(
    "%p is refused",
    (text) => {
      expect(() => parseFilters(text, CONTAINER_FILTERS)).toThrow(/[Ii]nvalid filter/);
    },
  );
});

describe("X-Registry-Auth", () => {
  const credentials = JSON.stringify({ username: "ü?>", password: "p~~" });
  const plain = Buffer.from(credentials).toString("base64");

  test.each([
    ["base64", plain],
    ["base64 without padding", plain.replace(/=+$/, "")],
    ["base64url", Buffer.from(credentials).toString("base64url")],
    ["base64url with padding", plain.replaceAll("+", "-").replaceAll("/", "_")],
  ])("is read from %s", (_name, header) => {
    expect(decodeRegistryAuth(header)).toBe(credentials);
  });

  test.each([undefined, "", "e30=", "bnVsbA==", "!!!", "W10=", Buffer.from("null").toString("base64url")])(
    "%p is anonymous",
    (header) => {
      expect(decodeRegistryAuth(header)).toBeUndefined();
    },
  );
});

describe("a reference", () => {
  test("is written as people do", () => {
    const hub = { domain: "docker.io", path: "library/httpd", tag: "2.4" };
    expect(familiar(hub)).toBe("httpd:2.4");
    expect(familiar({ domain: "docker.io", path: "bunker/demo" })).toBe("bunker/demo");
    expect(familiar({ domain: "localhost:5000", path: "a/b", tag: "x" })).toBe("localhost:5000/a/b:x");
  });

  test("is put together from the two parameters of a pull", () => {
    expect(joinReference("httpd", "2.4")).toBe("httpd:2.4");
    expect(joinReference("httpd", `sha256:${"a".repeat(64)}`)).toBe(`httpd@sha256:${"a".repeat(64)}`);
    expect(joinReference("localhost:5000/httpd", "")).toBe("localhost:5000/httpd");
  });

  test.each([
    ["httpd", false],
    ["localhost:5000/httpd", false],
    ["httpd:2.4", true],
    ["httpd@sha256:ab", true],
  ])("%p has a tag or digest: %p", (text, expected) => {
    expect(isPinned(text)).toBe(expected);
  });
});

describe("a request to create a container", () => {
  const specOf = (body: object, version = "1.56") =>
    toContainerSpec(ContainerCreateBody.parse({ Image: "httpd", ...body }), { version, platform: undefined });

  test("exposes the ports it publishes, under normal keys", () => {
    const spec = specOf({
      ExposedPorts: { "443": {} },
      HostConfig: {
        PortBindings: { "80": [{ HostIp: "", HostPort: "8020" }], "53/udp": [{ HostPort: "" }] },
      },
    });
    expect(spec.exposedPorts.toSorted()).toEqual(["443/tcp", "53/udp", "80/tcp"]);
    expect(spec.host.portBindings).toEqual({
      "80/tcp": [{ hostIp: "", hostPort: "8020" }],
      "53/udp": [{ hostIp: "", hostPort: "" }],
    });
  });

  test("clears the entrypoint with one empty word, and leaves it alone when absent", () => {
    expect(specOf({ Entrypoint: [""] }).entrypoint).toEqual([]);
    expect(specOf({ Entrypoint: [] }).entrypoint).toEqual([]);
    expect("entrypoint" in specOf({})).toBe(false);
  });

  test("takes the address of the one endpoint from the container below API 1.44", () => {
    const body = { MacAddress: "02:42:00:00:00:01" };
    expect(specOf(body, "1.43").networks.bridge?.macAddress).toBe("02:42:00:00:00:01");
    expect(specOf(body, "1.52").networks).toEqual({});
  });

  test("keeps what it was given of mounts, limits and policies", () => {
    const { host } = specOf({
      HostConfig: {
        Mounts: [{ Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 5, Mode: 511 } }],
        Memory: 1024,
        PidsLimit: 0,
        MemorySwappiness: -1,
        RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 },
        Ulimits: [{ Name: "nofile", Soft: 1, Hard: -1 }],
        Devices: [{ PathOnHost: "/dev/null" }],
      },
    });
    expect(host.mounts[0]).toMatchObject({ type: "tmpfs", target: "/t", tmpfs: { sizeBytes: 5, mode: 511 } });
    expect(host.resources).toEqual({ memory: 1024, pidsLimit: 0 });
    expect(host.restartPolicy).toEqual({ name: "on-failure", maximumRetryCount: 3 });
    expect(host.ulimits).toEqual([{ name: "nofile", soft: 1, hard: -1 }]);
    expect(host.devices).toEqual([{ hostPath: "/dev/null", containerPath: "/dev/null", permissions: "rwm" }]);
  });

  test.each([
    [{ Image: "" }, "no image"],
    [{ Env: ["=x"] }, "environment variable"],
    [{ HostConfig: { RestartPolicy: { Name: "sometimes" } } }, "unknown policy"],
    [{ HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 2 } } }, "maximum retry count"],
    [{ HostConfig: { AutoRemove: true, RestartPolicy: { Name: "always" } } }, "AutoRemove"],
    [{ HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "x" }] } } }, "Invalid port specification"],
    [
      { HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "nowhere", HostPort: "1" }] } } },
      "Invalid IP address",
    ],
    [{ HostConfig: { ShmSize: -1 } }, "SHM size"],
    [{ HostConfig: { Cgroup: "container:x" } }, "control group"],
    [{ HostConfig: { Isolation: "hyperv" } }, "isolation"],
  ])("is refused: %j", (body, message) => {
    expect(() => specOf(body)).toThrow(message);
  });

  test("comes back from inspect as it was given", () => {
    const given = {
      Binds: ["/a:/b:ro"],
      PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] },
      CapAdd: ["NET_ADMIN"],
      Memory: 6_291_456,
      NetworkMode: "host",
      ReadonlyRootfs: true,
      Tmpfs: { "/run": "size=1m" },
      LogConfig: { Type: "json-file", Config: { "max-size": "1m" } },
      RestartPolicy: { Name: "unless-stopped", MaximumRetryCount: 0 },
      Ulimits: [{ Name: "nofile", Soft: 10, Hard: 20 }],
      Init: true,
      Sysctls: { "net.core.somaxconn": "1" },
    };
    const view = containerView({ container: { spec: specOf({ HostConfig: given }) } });
    expect(toContainerInspect(view, "1.56").HostConfig).toMatchObject(given);
  });
});

test("an update says only what shall change", () => {
  expect(toResourceSpec(UpdateBody.parse({ Memory: 5, CpuShares: 0, PidsLimit: -1 }))).toEqual({
    memory: 5,
    pidsLimit: -1,
  });
});

describe("inspect", () => {
  test("has the shape of the API", () => {
    expect(() => ContainerInspect.parse(toContainerInspect(containerView(), "1.41"))).not.toThrow();
    expect(() =>
      ContainerSummary.parse(toContainerSummary(containerView(), { now: new Date(), version: "1.56" })),
    ).not.toThrow();
  });

  test("shows published ports with an address each, and exposed ones as null", () => {
    const { Ports } = toContainerInspect(containerView(), "1.56").NetworkSettings;
    expect(Ports).toEqual({
      "443/tcp": null,
      "80/tcp": [
        { HostIp: "0.0.0.0", HostPort: "8020" },
        { HostIp: "::", HostPort: "8020" },
      ],
    });
  });

  test("repeats the address on top for clients below 1.52 only", () => {
    const old = toContainerInspect(containerView(), "1.51").NetworkSettings;
    const young = toContainerInspect(containerView(), "1.52").NetworkSettings;
    expect([old.IPAddress, old.Networks.bridge?.IPAddress]).toEqual(["172.17.0.2", "172.17.0.2"]);
    expect(["IPAddress" in young, young.Networks.bridge?.IPAddress]).toEqual([false, "172.17.0.2"]);
  });

  test("of a container that never ran has its network without an address, no ports, and zero times", () => {
    const zero = "0001-01-01T00:00:00Z";
    const view = containerView({ endpoints: [], ports: [], state: { status: "created", startedAt: zero } });
    const inspect = toContainerInspect(view, "1.56");
    expect(inspect.NetworkSettings.Ports).toEqual({});
    expect(inspect.NetworkSettings.Networks.bridge?.IPAddress).toBe("");
    expect([inspect.State.StartedAt, inspect.State.Running, inspect.Mounts]).toEqual([zero, false, []]);
  });

  test("names with a slash, lists as lists, absent ones as Docker has them", () => {
    const { Name, Config, ExecIDs } = toContainerInspect(containerView(), "1.56");
    expect([Name, ExecIDs, Config.Entrypoint, Config.Cmd]).toEqual([
      "/web",
      null,
      null,
      ["httpd-foreground"],
    ]);
    expect(Config.ExposedPorts).toEqual({ "80/tcp": {}, "443/tcp": {} });
  });
});

describe("the status text", () => {
  const now = new Date("2026-01-02T04:04:06Z");
  const finishedAt = "2026-01-02T03:59:06Z";
  const health = <Status extends string>(status: Status) => ({ status, failingStreak: 0, log: [] });
  test.each([
    [{ status: "created" }, "Created"],
    [{ status: "running" }, "Up About an hour"],
    [{ status: "paused" }, "Up About an hour (Paused)"],
    [{ status: "running", health: health("starting") }, "Up About an hour (health: starting)"],
    [{ status: "running", health: health("healthy") }, "Up About an hour (healthy)"],
    [{ status: "running", health: health("unhealthy") }, "Up About an hour (unhealthy)"],
    [{ status: "paused", health: health("unhealthy") }, "Up About an hour (Paused)"],
    [{ status: "exited", exitCode: 137, finishedAt }, "Exited (137) 5 minutes ago"],
    [{ status: "restarting", exitCode: 1, finishedAt }, "Restarting (1) 5 minutes ago"],
    [{ status: "removing" }, "Removal In Progress"],
    [{ status: "dead" }, "Dead"],
  ] as const)("%j is %p", (state, text) => {
    expect(toStatusText(containerView({ state }).container, now)).toBe(text);
  });

  test.each([
    [{ status: "running" }, "none"],
    [{ status: "running", health: health("starting") }, "starting"],
    [{ status: "paused", health: health("unhealthy") }, "unhealthy"],
    [{ status: "exited", health: health("unhealthy") }, "none"],
  ] as const)("has its health beside it since 1.52: %j is %p", (state, word) => {
    const view = containerView({ state });
    expect(toContainerSummary(view, { now, version: "1.52" }).Health).toEqual({
      Status: word,
      FailingStreak: 0,
    });
    expect(toContainerSummary(view, { now, version: "1.51" })).not.toHaveProperty("Health");
  });

  test.each([
    [0.5, "Less than a second"],
    [1, "1 second"],
    [59, "59 seconds"],
    [60, "About a minute"],
    [150, "2 minutes"],
    [3600, "About an hour"],
    [5 * 3600, "5 hours"],
    [3 * 86400, "3 days"],
    [15 * 86400, "2 weeks"],
    [90 * 86400, "3 months"],
    [800 * 86400, "2 years"],
  ])("%p seconds are %p", (seconds, text) => {
    expect(humanDuration(seconds)).toBe(text);
  });
});

test("a row of the list shows addresses of published ports, and a name with a slash", () => {
  const row = toContainerSummary(containerView(), { now: new Date(), version: "1.56" });
  expect(row.Names).toEqual(["/web"]);
  expect(row.Ports).toEqual([
    { PrivatePort: 443, Type: "tcp" },
    { IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8020, Type: "tcp" },
    { IP: "::", PrivatePort: 80, PublicPort: 8020, Type: "tcp" },
  ]);
});

describe("an event", () => {
  const event = {
    type: "container",
    action: "die",
    id: "c",
    attributes: { image: "httpd" },
    timeNano: 1_700_000_000_123_456_789n,
  } as const;

  test("repeats itself for clients below 1.52 only", () => {
    expect(toEventMessage(event, "1.51")).toMatchObject({ status: "die", id: "c", from: "httpd" });
    expect("status" in toEventMessage(event, "1.52")).toBe(false);
    expect("status" in toEventMessage({ ...event, type: "network" }, "1.41")).toBe(false);
  });

  test("has both times", () => {
    expect(toEventMessage(event, "1.56")).toMatchObject({
      time: 1_700_000_000,
      timeNano: 1_700_000_000_123_456_789n,
    });
  });
});

describe("a sample of statistics", () => {
  const statistics = {
    readAt: 1_700_000_000_000_000_000n,
    cpuTotal: 10n ** 18n + 1n,
    cpuUser: 1n,
    cpuSystem: 2n,
    perCpu: [],
    throttling: { periods: 1, throttledPeriods: 2, throttledTime: 3n },
    systemCpu: 5n,
    onlineCpus: 2,
    memoryUsage: 100,
    memoryLimit: 200,
    memory: { cache: 7 },
    pidsCurrent: 3,
    blkio: [{ major: 8, minor: 0, op: "Read", bytes: 4096, operations: 1 }],
    networks: { eth0: { rx_bytes: 1 } },
  };

  test("has the shape of the API, and the first has nothing before it", () => {
    const sample = ContainerStats.parse(toContainerStats({ id: "c", name: "web", statistics }, "1.56"));
    expect(sample.precpu_stats.system_cpu_usage).toBeUndefined();
    expect(sample.preread).toBe("0001-01-01T00:00:00Z");
    expect(sample.cpu_stats.cpu_usage.total_usage).toBe(10n ** 18n + 1n);
    expect(sample.blkio_stats.io_service_bytes_recursive).toEqual([
      { major: 8, minor: 0, op: "Read", value: 4096 },
    ]);
  });

  test("of a stopped container is empty", () => {
    const sample = ContainerStats.parse(toContainerStats({ id: "c", name: "web" }, "1.56"));
    expect([sample.memory_stats, sample.networks, sample.read]).toEqual([
      {},
      undefined,
      "0001-01-01T00:00:00Z",
    ]);
  });
});
