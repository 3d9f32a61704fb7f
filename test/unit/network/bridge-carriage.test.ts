import { describe, expect, test } from "bun:test";
import type { Endpoint } from "#network";
import { carriageOf, carry } from "../../../src/network/drivers/bridge/carriage.ts";
import { readOptions } from "../../../src/network/drivers/bridge/options.ts";

const SETTINGS = {
  name: "bunker0",
  icc: true,
  ipMasquerade: true,
  mtu: 1500,
  iptables: true,
  ip6tables: true,
  userlandProxy: true,
  publishMode: "forward",
  allowDirectRouting: false,
} as const;
const V4 = { address: "172.18.0.2", ipv6Address: "" };
const DUAL = { address: "172.18.0.2", ipv6Address: "fd00::2" };
const V6 = { address: "", ipv6Address: "fd00::2" };

interface Facts {
  readonly settings?: Partial<Record<keyof typeof SETTINGS, unknown>>;
  readonly options?: Record<string, string>;
  readonly isInternal?: boolean;
}

function carried(hostAddress: string, endpoint: typeof V4, facts: Facts = {}, protocol = "tcp") {
  const settings = { ...SETTINGS, ...facts.settings } as typeof SETTINGS;
  const network = {
    id: "0".repeat(64),
    name: "n",
    options: facts.options ?? {},
    isInternal: facts.isInternal ?? false,
  };
  const carrying = { network, settings, options: readOptions(network, settings) };
  const port = { containerPort: 80, protocol: protocol as "tcp", hostAddress, hostPort: 8020 };
  const one = carry(port, endpoint as Endpoint, carrying);
  const how = [one.isTranslated && "rule", one.isRelayed && "relay", one.isDirect && "direct"].filter(
    Boolean,
  );
  return { how: how.join("+"), reach: carriageOf(one, carrying).reach, address: one.address };
}

const routed = { options: { "com.docker.network.bridge.gateway_mode_ipv4": "routed" } };

describe("a published port is carried", () => {
  test.each([
    ["0.0.0.0", V4, {}, "rule", "every host that can reach this one"],
    ["127.0.0.1", V4, {}, "rule", "this host only"],
    ["10.0.0.1", V4, {}, "rule", "every host that can reach 10.0.0.1"],
    ["::", V4, {}, "relay", "every host that can reach this one"],
    ["::", DUAL, {}, "rule+relay", "every host that can reach this one"],
    ["::1", DUAL, {}, "relay", "this host only"],
    ["fd09::1", DUAL, {}, "rule", "every host that can reach fd09::1"],
    ["fe80::1", DUAL, {}, "rule+relay", "every host that can reach fe80::1"],
    ["0.0.0.0", V6, {}, "relay", "every host that can reach this one"],
    ["0.0.0.0", V4, { settings: { iptables: false } }, "relay", "every host that can reach this one"],
    ["::", DUAL, { settings: { ip6tables: false } }, "relay", "every host that can reach this one"],
    ["::", DUAL, { settings: { userlandProxy: false } }, "rule", "every host that can reach this one"],
    ["::", V4, { settings: { userlandProxy: false } }, "", "nobody: neither a rule nor a relay carries it"],
    [
      "0.0.0.0",
      V4,
      { settings: { publishMode: "input" } },
      "relay",
      "every host that can reach this one, as far as its INPUT rules allow",
    ],
    ["0.0.0.0", V4, routed, "direct", "every host with a route to 172.18.0.2, at port 80 there"],
    [
      "0.0.0.0",
      V4,
      { settings: { allowDirectRouting: true } },
      "rule+direct",
      "every host that can reach this one",
    ],
    ["0.0.0.0", V4, { isInternal: true }, "", "nobody outside its network, which is internal"],
  ] as [string, typeof V4, Facts, string, string][])(
    "%s to %o with %o: %s",
    (address, endpoint, facts, how, reach) => {
      expect(carried(address, endpoint, facts)).toMatchObject({ how, reach });
    },
  );

  test("to the container's address of the same family, where it has one; SCTP by no relay", () => {
    expect(carried("::", DUAL).address).toBe("fd00::2");
    expect(carried("::", V4).address).toBe("172.18.0.2");
    expect(carried("::", V4, {}, "sctp").how).toBe("");
  });
});

describe("a bridge network's options", () => {
  const read = (options: Record<string, string>, isInternal = false) =>
    readOptions({ id: "abcdef0123456789", name: "n", options, isInternal }, SETTINGS);
  const bridge = (key: string) => `com.docker.network.bridge.${key}`;

  test("have defaults, and a name of the network's id", () => {
    expect(read({})).toEqual({
      name: "br-abcdef012345",
      isDefault: false,
      isOpenInside: true,
      isMasqueraded: true,
      trustedInterfaces: [],
      gatewayModes: { 4: "nat", 6: "nat" },
      sources: { 4: "", 6: "" },
      isWithoutIpv4: false,
      mtu: 1500,
    });
  });

  test("are read", () => {
    const found = read(
      {
        [bridge("name")]: "br9",
        [bridge("enable_icc")]: "0",
        [bridge("enable_ip_masquerade")]: "FALSE",
        [bridge("trusted_host_interfaces")]: "eth1:eth2:eth1",
        [bridge("gateway_mode_ipv6")]: "isolated",
        [bridge("inhibit_ipv4")]: "true",
        "com.docker.network.host_ipv4": "10.0.0.9",
        // As the rules are written that are compared with it.
        "com.docker.network.host_ipv6": "FD00:0::0009",
        "com.docker.network.driver.mtu": "1400",
      },
      true,
    );
    expect(found).toMatchObject({ name: "br9", isOpenInside: false, isMasqueraded: false, mtu: 1400 });
    expect(found).toMatchObject({ trustedInterfaces: ["eth1", "eth2"], isWithoutIpv4: true });
    expect(found).toMatchObject({
      gatewayModes: { 4: "nat", 6: "isolated" },
      sources: { 4: "10.0.0.9", 6: "fd00::9" },
    });
  });

  test.each([
    [bridge("name"), "sixteen-letters--", "15 letters"],
    [bridge("name"), "a b", "15 letters"],
    [bridge("name"), "../x", "15 letters"],
    [bridge("enable_icc"), "yes", "true or false"],
    [bridge("host_binding_ipv4"), "::1", "no IPv4 address"],
    [bridge("gateway_mode_ipv4"), "bridge", "nat, nat-unprotected, routed, isolated"],
    [bridge("gateway_mode_ipv4"), "isolated", "only an internal network"],
    [bridge("trusted_host_interfaces"), "eth0:-j DROP", "name of a link"],
    ["com.docker.network.host_ipv6", "10.0.0.1", "no IPv6 address"],
    ["com.docker.network.driver.mtu", "67", "68 to 65535"],
    ["com.docker.network.container_iface_prefix", "a/b", "letters and digits"],
  ])("%s=%s is refused by name", (key, value, reason) => {
    expect(() => read({ [key]: value })).toThrow(`Cannot use the network option ${key}=${value}: `);
    expect(() => read({ [key]: value })).toThrow(reason);
  });
});
