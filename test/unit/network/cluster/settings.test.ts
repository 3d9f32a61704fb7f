import { describe, expect, test } from "bun:test";
import { parseAdvertise, readClusterSettings } from "../../../../src/network/cluster/settings.ts";

const read = (store: string, options: Record<string, string> = {}) =>
  readClusterSettings({ store, advertise: "10.1.2.3", options });

describe("--cluster-store", () => {
  test.each([
    ["etcd://10.0.0.1:2379", ["http://10.0.0.1:2379"], "/bunker/"],
    ["etcd://10.0.0.1", ["http://10.0.0.1:2379"], "/bunker/"],
    ["etcd://a:80,b:2380/some/path", ["http://a:80", "http://b:2380"], "/some/path/"],
    ["etcd://[fd00::1]:2379/", ["http://[fd00::1]:2379"], "/bunker/"],
  ])("%s", (store, endpoints, prefix) => {
    expect(read(store)).toMatchObject({ etcd: { endpoints }, prefix, address: "10.1.2.3", ttlSeconds: 60 });
  });

  test.each([
    ["consul://10.0.0.1", {}, /write etcd:/],
    ["etcd://", {}, /write etcd:/],
    ["etcd://a b:1", {}, /not a host/],
    ["etcd://user@a:1", {}, /not a host/],
    ["etcd://a/b c", {}, /store's path/],
    ["etcd://a", { "discovery.ttl": "1" }, /2 to 86400/],
    ["etcd://a", { "discovery.ttl": "soon" }, /2 to 86400/],
    ["etcd://a", { "kv.other": "1" }, /kv\.other: it is not known/],
    ["etcd://a", { "kv.cacertfile": "/nowhere/ca.pem" }, /Cannot read --cluster-store-opt kv\.cacertfile/],
    ["etcd://a", { "kv.certfile": "/dev/null" }, /go together/],
  ])("%s with %j is refused", (store, options, words) => {
    expect(() => read(store, options as Record<string, string>)).toThrow(words);
  });

  test("with a certificate of an authority it is https", () => {
    expect(read("etcd://a:1", { "kv.cacertfile": "/dev/null" }).etcd.endpoints).toEqual(["https://a:1"]);
  });
});

describe("--cluster-advertise", () => {
  const of = (address: string, family: "IPv4" | "IPv6") =>
    ({ address, family, netmask: "", mac: "", internal: false, cidr: null }) as never;
  const interfaces = {
    eth0: [of("fe80::1", "IPv6"), of("fd00::5", "IPv6"), of("192.0.2.5", "IPv4")],
    eth1: [of("fe80::2", "IPv6"), of("fd00::6", "IPv6")],
    eth2: [of("fe80::3", "IPv6")],
  };

  test.each([
    ["10.0.0.1", "10.0.0.1"],
    ["10.0.0.1:2376", "10.0.0.1"],
    ["fd00::1", "fd00::1"],
    ["[fd00::1]:2376", "fd00::1"],
    ["eth0", "192.0.2.5"],
    ["eth0:2376", "192.0.2.5"],
    ["eth1", "fd00::6"],
  ])("%s is %s", (text, address) => {
    expect(parseAdvertise(text, interfaces)).toBe(address);
  });

  test.each(["", "eth2", "eth9", "127.0.0.1", "0.0.0.0", "::", "fe80::1", "224.0.0.1"])(
    "%j is refused",
    (text) => {
      expect(() => parseAdvertise(text, interfaces)).toThrow(/--cluster-advertise/);
    },
  );
});
