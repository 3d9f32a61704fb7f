import { describe, expect, test } from "bun:test";
import * as api from "#api";
import { Fault } from "#errors";
import { JOBS } from "../fakes/answering-jobs.ts";
import { appOver } from "../fakes/app-over.ts";
import { CONTAINER_ID } from "../fakes/container-view.ts";

const NOTHING_ASKED = {
  aliases: [],
  links: [],
  linkLocalAddresses: [],
  gatewayPriority: 0,
  driverOptions: {},
};

const PLAIN = {
  name: "front",
  driver: "",
  options: {},
  labels: {},
  isInternal: false,
  isAttachable: false,
  ipam: { driver: "", options: {}, pools: [] },
};

/** [version, body beside the name, what the job is asked beside the plain] */
const CREATES: readonly (readonly [string, object, object])[] = [
  ["1.56", {}, {}],
  ["1.56", { CheckDuplicate: true, Driver: "bridge", Scope: "local" }, { driver: "bridge" }],
  ["1.56", { Internal: true, Attachable: true }, { isInternal: true, isAttachable: true }],
  ["1.56", { Labels: { a: "b" }, Options: { o: "1" } }, { labels: { a: "b" }, options: { o: "1" } }],
  ["1.56", { EnableIPv4: false, EnableIPv6: true }, { isIpv4: false, isIpv6: true }],
  ["1.47", { EnableIPv4: false, EnableIPv6: true }, { isIpv6: true }],
  ["1.56", { EnableIPv4: null, EnableIPv6: null }, {}],
  ["1.56", { IPAM: null, ConfigFrom: null }, {}],
  ["1.56", { ConfigOnly: true, ConfigFrom: { Network: "" } }, { isConfigOnly: true }],
  ["1.56", { ConfigFrom: { Network: "base" } }, { configFrom: "base" }],
  [
    "1.56",
    { IPAM: { Driver: "default", Config: [] } },
    { ipam: { driver: "default", options: {}, pools: [] } },
  ],
  ["1.56", { IPAM: { Config: [{}] } }, {}],
  [
    "1.24",
    {
      IPAM: {
        Driver: "mine",
        Options: { foo: "bar" },
        Config: [
          {
            Subnet: "172.20.0.0/16",
            IPRange: "172.20.10.0/24",
            Gateway: "172.20.10.11",
            AuxiliaryAddresses: { router: "172.20.10.5" },
          },
          { Subnet: "fd00:20::/64" },
        ],
      },
    },
    {
      ipam: {
        driver: "mine",
        options: { foo: "bar" },
        pools: [
          {
            family: 4,
            subnet: "172.20.0.0/16",
            range: "172.20.10.0/24",
            gateway: "172.20.10.11",
            auxiliary: { router: "172.20.10.5" },
          },
          { family: 6, subnet: "fd00:20::/64", range: "", gateway: "", auxiliary: {} },
        ],
      },
    },
  ],
];

describe("a network is asked for", () => {
  test.each(CREATES)("API %s: %j", async (version, body, asked) => {
    const { engine, send } = appOver(JOBS);
    const response = await send(`POST /v${version}/networks/create`, { Name: "front", ...body });
    expect([response.status, await response.json()]).toEqual([201, { Id: "aa", Warning: "" }]);
    expect(engine.calls).toEqual([{ name: "network.create", input: { ...PLAIN, ...asked } }]);
  });

  test.each([
    [{ Ingress: true, Driver: "overlay" }, 503, "This node is not a swarm manager"],
    [{ Scope: "swarm" }, 503, "This node is not a swarm manager"],
    [{ Scope: "galaxy" }, 400, "galaxy"],
    [{ IPAM: { Config: [{ Subnet: 5 }] } }, 400, "IPAM.Config.0.Subnet"],
    [{ Labels: ["a=b"] }, 400, "Labels"],
  ])("%j is answered with %d", async (body, status, words) => {
    const { engine, send } = appOver(JOBS);
    const response = await send("POST /networks/create", { Name: "front", ...body });
    const { message } = (await response.json()) as { message: string };
    expect([response.status, engine.calls]).toEqual([status, []]);
    expect(message).toContain(words);
  });
});

describe("a container is connected", () => {
  test.each([
    ["1.56", undefined, NOTHING_ASKED],
    ["1.56", null, NOTHING_ASKED],
    [
      "1.56",
      {
        Aliases: ["db"],
        Links: ["other:o"],
        IPAMConfig: { IPv4Address: "172.20.0.9", IPv6Address: "fd00::9", LinkLocalIPs: ["169.254.3.4"] },
        MacAddress: "02-42-AC-11-00-09",
        DriverOpts: { a: "b" },
        GwPriority: -3,
      },
      {
        aliases: ["db"],
        links: ["other:o"],
        ipv4Address: "172.20.0.9",
        ipv6Address: "fd00::9",
        linkLocalAddresses: ["169.254.3.4"],
        macAddress: "02:42:ac:11:00:09",
        gatewayPriority: -3,
        driverOptions: { a: "b" },
      },
    ],
    ["1.53", { MacAddress: "02:42:ac:11:00:09" }, NOTHING_ASKED],
    ["1.47", { GwPriority: 5 }, NOTHING_ASKED],
    ["1.24", { IPAMConfig: {}, Aliases: null }, NOTHING_ASKED],
  ])("API %s: %j", async (version, EndpointConfig, endpoint) => {
    const { engine, send } = appOver(JOBS);
    const body = { Container: "web", EndpointConfig };
    const response = await send(`POST /v${version}/networks/front/connect`, body);
    expect([response.status, await response.text()]).toEqual([200, ""]);
    expect(engine.calls).toEqual([
      { name: "network.connect", input: { ref: "front", container: "web", endpoint } },
    ]);
  });

  test.each([
    [{ EndpointConfig: {} }, "Container"],
    [
      { Container: "web", EndpointConfig: { IPAMConfig: { IPv4Address: "fd00::1" } } },
      "invalid IPv4 address: fd00::1",
    ],
    [
      { Container: "web", EndpointConfig: { IPAMConfig: { IPv6Address: "10.0.0.1" } } },
      "invalid IPv6 address: 10.0.0.1",
    ],
    [
      { Container: "web", EndpointConfig: { IPAMConfig: { LinkLocalIPs: ["x"] } } },
      "invalid link-local IP address: x",
    ],
    [{ Container: "web", EndpointConfig: { MacAddress: "02:42" } }, "address 02:42: invalid MAC address"],
    [{ Container: "web", EndpointConfig: { GwPriority: 1.5 } }, "GwPriority"],
  ])("%j is refused", async (body, words) => {
    const { engine, send } = appOver(JOBS);
    const response = await send("POST /networks/front/connect", body);
    expect([response.status, engine.calls]).toEqual([400, []]);
    expect(((await response.json()) as { message: string }).message).toContain(words);
  });
});

describe("networks are shown", () => {
  const shown = async (line: string) => {
    const response = await appOver(JOBS).ask(line);
    expect(response.status).toBe(200);
    return (await response.json()) as Record<string, unknown> & Record<string, unknown>[];
  };

  test("with the containers that run on it, their addresses with prefix length", async () => {
    const inspect = api.NetworkInspect.parse(await shown("GET /networks/bridge"));
    expect(inspect.Containers).toEqual({
      [CONTAINER_ID]: {
        Name: "web",
        EndpointID: "bb".repeat(32),
        MacAddress: "02:42:ac:11:00:02",
        IPv4Address: "172.17.0.2/16",
        IPv6Address: "",
      },
    });
    expect(inspect.IPAM).toEqual({
      Driver: "default",
      Options: null,
      Config: [{ Subnet: "172.17.0.0/16", Gateway: "172.17.0.1" }],
    });
    expect(inspect.Status).toEqual({
      IPAM: { Subnets: { "172.17.0.0/16": { IPsInUse: 4, DynamicIPsAvailable: 65532 } } },
    });
  });

  test.each([
    ["1.56", { EnableIPv4: true, Status: true }],
    ["1.51", { EnableIPv4: true, Status: false }],
    ["1.47", { EnableIPv4: false, Status: false }],
  ])("API %s has %j in inspect", async (version, has) => {
    const inspect = await shown(`GET /v${version}/networks/bridge`);
    expect({ EnableIPv4: "EnableIPv4" in inspect, Status: "Status" in inspect }).toEqual(has);
  });

  test.each([
    ["1.56", undefined],
    ["1.51", 0],
    ["1.28", 0],
    ["1.27", 1],
  ])("API %s: a row of the list has %p containers", async (version, count) => {
    const [row] = await shown(`GET /v${version}/networks`);
    const { Containers } = api.NetworkSummary.parse(row);
    expect(Containers === undefined ? undefined : Object.keys(Containers).length).toBe(count);
  });

  test("what is no truth value is refused", async () => {
    expect((await appOver(JOBS).ask("GET /networks/bridge?verbose=perhaps")).status).toBe(400);
  });

  test("nothing pruned is null", async () => {
    const { ask } = appOver({ "network.prune": () => ({ deleted: [] }) });
    expect(await (await ask("POST /networks/prune")).json()).toEqual({ NetworksDeleted: null });
  });
});

test.each([
  ["denied", 403],
  ["not_found", 404],
  ["conflict", 409],
  ["invalid", 400],
] as const)("a removal that is %s is answered with %d and the engine's sentence", async (kind, status) => {
  const refuse = () => {
    throw new Fault(kind, "bridge is a pre-defined network and cannot be removed");
  };
  const response = await appOver({ "network.remove": refuse }).ask("DELETE /networks/bridge");
  expect([response.status, await response.json()]).toEqual([
    status,
    { message: "bridge is a pre-defined network and cannot be removed" },
  ]);
});
