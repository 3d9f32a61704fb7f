import { describe, expect, test } from "bun:test";
import { ContainerCreateBody } from "#api";
import type { ContainerView } from "#jobs";
import { countAddresses } from "../../../src/server/translate/address-count.ts";
import { createWarnings } from "../../../src/server/translate/asked-networks.ts";
import { toContainerSpec } from "../../../src/server/translate/container-create.ts";
import { toContainerInspect } from "../../../src/server/translate/container-inspect.ts";
import { toContainerSummary } from "../../../src/server/translate/container-list.ts";
import { toNetworkSummary } from "../../../src/server/translate/network.ts";
import { toNetworkSettings } from "../../../src/server/translate/network-settings.ts";
import { CONTAINER_ID, containerView } from "../../fakes/container-view.ts";

const MAC = "02:42:ac:11:00:09";
const PLAIN = { aliases: [], links: [], linkLocalAddresses: [], gatewayPriority: 0, driverOptions: {} };
const asked = (body: object, version = "1.56") =>
  toContainerSpec(ContainerCreateBody.parse({ Image: "x", ...body }), { version, platform: undefined })
    .networks;
const endpoints = (EndpointsConfig: object) => ({ NetworkingConfig: { EndpointsConfig } });

describe("a new container asks for networks", () => {
  test.each([
    ["1.56", {}, {}],
    ["1.56", endpoints({ default: { Aliases: ["a"] } }), { bridge: { ...PLAIN, aliases: ["a"] } }],
    ["1.56", endpoints({ a: null, b: {} }), { a: PLAIN, b: PLAIN }],
    ["1.48", endpoints({ a: { GwPriority: 7 } }), { a: { ...PLAIN, gatewayPriority: 7 } }],
    ["1.47", endpoints({ a: { GwPriority: 7 } }), { a: PLAIN }],
    ["1.44", endpoints({ a: { MacAddress: MAC } }), { a: { ...PLAIN, macAddress: MAC } }],
    ["1.43", endpoints({ a: { MacAddress: MAC } }), { a: PLAIN }],
    ["1.43", { MacAddress: MAC, ...endpoints({ a: {} }) }, { a: { ...PLAIN, macAddress: MAC } }],
    ["1.43", { MacAddress: MAC, HostConfig: { NetworkMode: "a" } }, { a: { ...PLAIN, macAddress: MAC } }],
    ["1.44", { MacAddress: MAC }, { bridge: { ...PLAIN, macAddress: MAC } }],
    [
      "1.51",
      { MacAddress: MAC, HostConfig: { NetworkMode: "a" }, ...endpoints({ a: {}, b: {} }) },
      { a: { ...PLAIN, macAddress: MAC }, b: PLAIN },
    ],
    ["1.51", { MacAddress: MAC, HostConfig: { NetworkMode: "none" } }, {}],
    ["1.52", { MacAddress: MAC }, {}],
  ])("API %s: %j", (version, body, networks) => {
    expect(asked(body, version)).toEqual(networks);
  });

  test.each([
    [
      "1.43",
      endpoints({ a: {}, b: {} }),
      "Container cannot be created with multiple network endpoints: a, b",
    ],
    ["1.43", { MacAddress: MAC, HostConfig: { NetworkMode: "host" } }, "mac-address and the network mode"],
    ["1.44", { MacAddress: MAC, ...endpoints({ b: {} }) }, "must match the identity of a network"],
    [
      "1.44",
      {
        MacAddress: MAC,
        HostConfig: { NetworkMode: "a" },
        ...endpoints({ a: { MacAddress: "02:42:ac:11:00:0a" } }),
      },
      "must match the endpoint-specific MAC address",
    ],
    [
      "1.56",
      endpoints({ a: { IPAMConfig: { IPv4Address: "300.1.1.1" } } }),
      "invalid IPv4 address: 300.1.1.1",
    ],
  ])("API %s: %j is refused", (version, body, words) => {
    expect(() => asked(body, version)).toThrow(words);
  });

  test.each([
    ["1.43", 0],
    ["1.44", 1],
    ["1.51", 1],
    ["1.52", 0],
  ])("API %s: an address of the container has %d warnings", (version, count) => {
    expect(createWarnings({ MacAddress: MAC }, version)).toHaveLength(count);
  });
});

const NETWORK: Parameters<typeof toNetworkSummary>[0] = {
  id: "aa",
  name: "front",
  driver: "bridge",
  created: 0,
  scope: "local",
  ipam: { driver: "default", options: {}, pools: [] },
  options: {},
  labels: {},
  isInternal: false,
  isAttachable: false,
  isIpv4: true,
  isIpv6: false,
};

/** A container on the networks front and back, with one alias. */
function onTwo(state: ContainerView["container"]["state"]["status"]): ContainerView {
  const view = containerView();
  const [bridge] = view.endpoints;
  if (bridge === undefined) throw new Error("the fake has an endpoint");
  const names = ["web", "shop", CONTAINER_ID.slice(0, 12), "host1"];
  const front = { ...bridge, networkId: "f1", networkName: "front", aliases: ["shop"], dnsNames: names };
  const back = {
    ...bridge,
    networkId: "b1",
    networkName: "back",
    ipv6Address: "fd00::2",
    ipv6PrefixLength: 64,
  };
  const isUp = state === "running";
  return {
    ...view,
    endpoints: isUp ? [front, back] : [],
    ports: isUp ? view.ports : [],
    ...(!isUp && state !== "created" && { networkIds: { front: "f1", back: "b1" } }),
    container: {
      ...view.container,
      effective: { ...view.container.effective, hostname: "host1" },
      state: { ...view.container.state, status: state, pid: isUp ? 4242 : 0 },
      spec: {
        ...view.container.spec,
        host: { ...view.container.spec.host, networkMode: "front" },
        networks: {
          front: {
            ...PLAIN,
            aliases: ["shop"],
            ipv4Address: "172.17.0.2",
            linkLocalAddresses: ["169.254.1.1"],
            macAddress: MAC,
          },
          back: { ...PLAIN, gatewayPriority: 9, driverOptions: { a: "b" } },
        },
      },
    },
  };
}

describe("NetworkSettings", () => {
  test("of a running container say what it has and what was asked", () => {
    const settings = toNetworkSettings(onTwo("running"), "1.56");
    expect(Object.keys(settings.Networks)).toEqual(["back", "front"]);
    expect(settings.Networks.front).toMatchObject({
      IPAMConfig: { IPv4Address: "172.17.0.2", LinkLocalIPs: ["169.254.1.1"] },
      Aliases: ["shop"],
      DNSNames: ["web", "shop", CONTAINER_ID.slice(0, 12), "host1"],
      GwPriority: 0,
      NetworkID: "f1",
      IPAddress: "172.17.0.2",
    });
    expect(settings.Networks.back).toMatchObject({
      IPAMConfig: null,
      Aliases: null,
      GwPriority: 9,
      DriverOpts: { a: "b" },
      GlobalIPv6Address: "fd00::2",
      GlobalIPv6PrefixLen: 64,
    });
    expect([settings.SandboxID, settings.SandboxKey]).toEqual([CONTAINER_ID, "/proc/4242/ns/net"]);
  });

  test("of a stopped container keep networks, names and ids, and nothing that it has no more", () => {
    const settings = toNetworkSettings(onTwo("exited"), "1.56");
    expect(settings).toMatchObject({ SandboxID: "", SandboxKey: "", Ports: {} });
    expect(settings.Networks.front).toMatchObject({
      NetworkID: "f1",
      EndpointID: "",
      IPAddress: "",
      IPPrefixLen: 0,
      MacAddress: MAC,
      DNSNames: ["web", "shop", CONTAINER_ID.slice(0, 12), "host1"],
    });
  });

  test("of one that never ran have no ids and no names", () => {
    const { front } = toNetworkSettings(onTwo("created"), "1.56").Networks;
    expect(front).toMatchObject({ NetworkID: "", DNSNames: null, Aliases: ["shop"] });
  });

  test.each([
    ["1.45", ["shop"], true],
    ["1.44", ["shop", CONTAINER_ID.slice(0, 12), "host1"], true],
    ["1.43", ["shop", CONTAINER_ID.slice(0, 12), "host1"], false],
  ])("API %s: aliases are %j, DNSNames are there: %p", (version, aliases, hasNames) => {
    const { front } = toNetworkSettings(onTwo("running"), version).Networks;
    expect([front?.Aliases, front !== undefined && "DNSNames" in front]).toEqual([aliases, hasNames]);
  });

  test("of a row in the list say what the container has, not what was asked", () => {
    const row = toContainerSummary(onTwo("running"), { now: new Date(), version: "1.56" });
    expect(row.NetworkSettings.Networks.front).toMatchObject({
      IPAMConfig: { IPv4Address: "172.17.0.2" },
      Aliases: null,
      DNSNames: null,
      NetworkID: "f1",
      IPAddress: "172.17.0.2",
    });
    expect(row.NetworkSettings.Networks.back).toMatchObject({
      IPAMConfig: null,
      DriverOpts: null,
      GwPriority: 9,
    });
  });

  test.each([
    ["1.48", true],
    ["1.47", false],
  ])("API %s has GwPriority: %p", (version, has) => {
    expect("GwPriority" in (toNetworkSettings(onTwo("running"), version).Networks.back ?? {})).toBe(has);
  });

  test("repeat on top what is on the default bridge alone", () => {
    expect(toNetworkSettings(onTwo("running"), "1.43").IPAddress).toBe("");
    expect(toNetworkSettings(containerView(), "1.43").IPAddress).toBe("172.17.0.2");
  });

  test("of a container without an address have no ports, also not exposed ones", () => {
    const [bridge] = containerView().endpoints;
    if (bridge === undefined) throw new Error("the fake has an endpoint");
    const view = containerView({
      ports: [],
      endpoints: [{ ...bridge, networkName: "host", address: "", prefixLength: 0 }],
    });
    expect(toNetworkSettings(view, "1.56").Ports).toEqual({});
    expect(toContainerSummary(view, { now: new Date(), version: "1.56" }).Ports).toEqual([]);
  });

  test("of one in another's namespace are empty", () => {
    const view = containerView({ endpoints: [], ports: [] });
    const { spec } = view.container;
    const sharing = {
      ...view,
      container: { ...view.container, spec: { ...spec, host: { ...spec.host, networkMode: "container:x" } } },
    };
    expect(toNetworkSettings(sharing, "1.56")).toMatchObject({ SandboxID: "", SandboxKey: "", Networks: {} });
  });

  test("the address that was asked for stands in Config below API 1.52", () => {
    expect(toContainerInspect(onTwo("running"), "1.51").Config.MacAddress).toBe(MAC);
    expect("MacAddress" in toContainerInspect(onTwo("running"), "1.52").Config).toBe(false);
    expect("MacAddress" in toContainerInspect(containerView(), "1.51").Config).toBe(false);
  });
});

test("a network's options are those that were asked for, without the links that its driver named after it", () => {
  const id = "0123456789ab".padEnd(64, "c");
  const shown = (options: Record<string, string>) =>
    toNetworkSummary({ ...NETWORK, id, options }, "1.56").Options;
  const name = "com.docker.network.bridge.name";
  expect(shown({ [name]: "br-0123456789ab", a: "b" })).toEqual({ a: "b" });
  expect(shown({ parent: "dm-0123456789ab" })).toEqual({});
  expect(shown({ [name]: "br-face", parent: "eth0" })).toEqual({ [name]: "br-face", parent: "eth0" });
});

describe("addresses are counted", () => {
  test.each([
    ["172.17.0.0/16", "", ["172.17.0.1"], 3n, 65533n],
    ["172.17.0.0/16", "172.17.5.0/24", ["172.17.0.1"], 3n, 256n],
    ["172.17.0.0/16", "172.17.0.0/24", ["172.17.0.1", "172.17.0.1", "172.18.0.1", ""], 3n, 254n],
    ["10.0.0.4/30", "", [], 2n, 2n],
    ["10.0.0.4/31", "", ["10.0.0.4"], 1n, 1n],
    ["2001:db8:abcd:12::/96", "", ["2001:db8:abcd:12::1", "2001:db8:abcd:12:0:0:10.0.0.1"], 3n, 4294967293n],
    ["fd00::/8", "", ["fd00::1"], 2n, 2n ** 64n - 1n],
    ["fe80::/64", "", ["fe80::1"], 2n, 2n ** 64n - 2n],
  ])("%s of %j with %j", (subnet, range, addresses, inUse, available) => {
    expect(countAddresses({ subnet, range }, addresses)).toEqual({ inUse, available });
  });
});
