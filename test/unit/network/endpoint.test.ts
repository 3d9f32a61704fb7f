import { describe, expect, test } from "bun:test";
import type { EndpointRecord, EndpointRequest, Way } from "#network";
import {
  chooseLinkName,
  dnsNamesOf,
  exitsOf,
  portEndpointOf,
  requireMac,
  sysctlsOf,
} from "../../../src/network/endpoint.ts";

interface Facts {
  readonly network: string;
  readonly priority?: number;
  readonly way?: Way;
  readonly gateway?: string;
  readonly ipv6Gateway?: string;
  readonly options?: Readonly<Record<string, string>>;
}

function record({ network, priority = 0, way, gateway = "", ipv6Gateway = "", options = {} }: Facts) {
  const endpoint = {
    networkId: network,
    networkName: network,
    endpointId: "e",
    macAddress: "",
    address: "10.0.0.2",
    prefixLength: 24,
    gateway,
    ipv6Address: "",
    ipv6PrefixLength: 0,
    ipv6Gateway,
    aliases: [],
    dnsNames: [],
    interfaceName: "eth1",
    gatewayPriority: priority,
    driverOptions: options,
  };
  const owner = { containerId: "c", containerName: "web", directory: "/", link: "", networkId: network };
  return { ...owner, endpoint, ports: [], ...(way && { way }) } satisfies EndpointRecord;
}

const request = (driverOptions: Readonly<Record<string, string>> = {}): EndpointRequest => ({
  network: "n",
  aliases: [],
  links: [],
  linkLocalAddresses: [],
  gatewayPriority: 0,
  driverOptions,
});

describe("the default route", () => {
  const v4 = (network: string, priority = 0) => ({ network, priority, way: { gateway: "10.0.0.1" } });
  const v6 = (network: string, priority = 0) => ({ network, priority, way: { ipv6Gateway: "fd00::1" } });

  test.each<[string, Facts[], string | undefined, string | undefined]>([
    ["goes over the network whose name comes first", [v4("b"), v4("a")], "a", undefined],
    ["goes over the highest priority", [v4("a"), v4("b", 1)], "b", undefined],
    ["avoids a negative one", [v4("a", -1), v4("b")], "b", undefined],
    ["passes over a network without a way out", [{ network: "a", way: {} }, v4("b")], "b", undefined],
    ["is chosen by family", [v4("b"), v6("a")], "b", "a"],
    [
      "needs no gateway where all are neighbours",
      [{ network: "a", way: { isGatewayOnLink: true } }],
      "a",
      undefined,
    ],
    ["is not there without a way out", [{ network: "a" }], undefined, undefined],
  ])("%s", (_title, facts, over4, over6) => {
    const exits = exitsOf(facts.map(record));
    expect([exits.v4?.networkId, exits.v6?.networkId]).toEqual([over4, over6]);
  });

  test("takes the ports with it: that of IPv4, else that of IPv6", () => {
    const both = [
      record({ network: "a", ipv6Gateway: "fd00::1" }),
      record({ network: "b", gateway: "10.0.0.1" }),
    ];
    expect(portEndpointOf(both)?.networkId).toBe("b");
    expect(portEndpointOf(both.slice(0, 1))?.networkId).toBe("a");
    expect(portEndpointOf([record({ network: "a" })])).toBeUndefined();
  });
});

describe("a link's name", () => {
  const IFNAME = "com.docker.network.endpoint.ifname";

  test.each<[Record<string, string>, string[], string]>([
    [{}, [], "eth0"],
    [{}, ["eth0", "eth2"], "eth1"],
    [{}, ["lan", "eth0"], "eth1"],
    [{ [IFNAME]: "lan" }, ["eth0"], "lan"],
  ])("with options %p beside %p is %s", (options, taken, name) => {
    expect(chooseLinkName(request(options), taken)).toBe(name);
  });

  test.each([
    ["a name that is far too long", "no name"],
    ["lo", "no name"],
    ["..", "no name"],
    ["a/b", "no name"],
    ["eth0", "has another of that name"],
  ])("%s is refused", (name, words) => {
    expect(() => chooseLinkName(request({ [IFNAME]: name }), ["eth0"])).toThrow(words);
  });
});

describe("sysctls of an endpoint", () => {
  const of = (text: string) =>
    sysctlsOf(record({ network: "n", options: { "com.docker.network.endpoint.sysctls": text } }).endpoint);

  test("name its link", () => {
    expect(of("net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.IFNAME.accept_ra=2")).toEqual({
      "net.ipv4.conf.eth1.log_martians": "1",
      "net.ipv6.conf.eth1.accept_ra": "2",
    });
    expect(sysctlsOf(record({ network: "n" }).endpoint)).toEqual({});
  });

  test.each(["net.ipv4.ip_forward=1", "net.ipv4.conf.eth0.x=1", "kernel.IFNAME=1", "net.ipv4.conf.IFNAME.x"])(
    "%s is refused",
    (text) => {
      expect(() => of(text)).toThrow("invalid endpoint sysctl");
    },
  );
});

test("a container answers to its name, its aliases, its short id and its host name, each once", () => {
  const asker = { containerId: "0123456789abcdef", name: "/web", hostname: "0123456789ab" };
  expect(dnsNamesOf(asker, ["www", "web"])).toEqual(["web", "www", "0123456789ab"]);
});

test("a hardware address is one of a single station", () => {
  expect(requireMac("02:42:AC:11:00:02")).toBe("02:42:ac:11:00:02");
  expect(() => requireMac("03:42:ac:11:00:02")).toThrow("MAC address");
});
