import { describe, expect, test } from "bun:test";
import { renderHosts } from "../../../src/network/files.ts";
import { parseResolvConf, renderResolvConf } from "../../../src/network/resolv-conf.ts";

const names = { hostname: "web", domainname: "", extraHosts: [] as string[] };
const bridged = { addresses: ["172.17.0.2"], hostGateway: "172.17.0.1", isHostMode: false, hasIpv6: false };
const noDns = { dns: [] as string[], dnsSearch: [] as string[], dnsOptions: [] as string[] };

describe("the file hosts", () => {
  const tail = (request: Partial<typeof names>) =>
    renderHosts({ ...names, ...request }, bridged, "")
      .split("\n")
      .slice(6, -1);

  test("begins with the loopback of both families", () => {
    const text = renderHosts(names, bridged, "");
    expect(text).toStartWith("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    expect(text).toEndWith("\n172.17.0.2\tweb\n");
  });

  test("names the domain first", () => {
    expect(tail({ domainname: "example.org" })).toEqual(["172.17.0.2\tweb.example.org web"]);
  });

  test("has what was asked for before the container's own line", () => {
    expect(tail({ extraHosts: ["db:10.0.0.3", "gate:host-gateway", "six:fd00::1", "box:[::1]"] })).toEqual([
      "10.0.0.3\tdb",
      "172.17.0.1\tgate",
      "fd00::1\tsix",
      "::1\tbox",
      "172.17.0.2\tweb",
    ]);
  });

  test("is the host's own in host mode, with what was asked for behind", () => {
    const facts = { ...bridged, addresses: [], isHostMode: true };
    const text = renderHosts(
      { ...names, extraHosts: ["db:10.0.0.3"] },
      facts,
      "127.0.0.1 localhost\n10.0.0.9 me\n",
    );
    expect(text).toBe("127.0.0.1 localhost\n10.0.0.9 me\n10.0.0.3\tdb\n");
  });

  test.each(["db", "db:", ":10.0.0.1", "db:nowhere", "two names:10.0.0.1"])("refuses %p", (entry) => {
    expect(() => tail({ extraHosts: [entry] })).toThrow(`Cannot add the host ${entry}`);
  });

  test("refuses host-gateway where there is none", () => {
    const facts = { ...bridged, hostGateway: "" };
    expect(() => renderHosts({ ...names, extraHosts: ["gate:host-gateway"] }, facts, "")).toThrow(
      "no gateway",
    );
  });
});

describe("the file resolv.conf", () => {
  test.each([
    ["nameserver 10.0.0.53\n", "nameserver 10.0.0.53\n"],
    ["nameserver 127.0.0.1\nnameserver 10.0.0.53\n", "nameserver 10.0.0.53\n"],
    ["nameserver 127.0.0.53\n", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"],
    ["", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"],
    ["nameserver fd00::53\nnameserver 10.0.0.53\n", "nameserver 10.0.0.53\n"],
    [
      "# nothing\nsearch a.org b.org\nnameserver 10.0.0.53 # mine\noptions ndots:2 rotate\n",
      "nameserver 10.0.0.53\nsearch a.org b.org\noptions ndots:2 rotate\n",
    ],
    ["domain a.org\nnameserver 10.0.0.53\n", "nameserver 10.0.0.53\nsearch a.org\n"],
  ])("from %p is %p", (host, expected) => {
    expect(renderResolvConf(noDns, bridged, host)).toBe(expected);
  });

  test("keeps IPv6 servers for a container that has IPv6, but neither loopback nor a link's own", () => {
    const host = "nameserver fd00::53\nnameserver ::1\nnameserver fe80::1%eth0\n";
    expect(renderResolvConf(noDns, { ...bridged, hasIpv6: true }, host)).toBe("nameserver fd00::53\n");
  });

  test("says what was asked for in place of what the host says", () => {
    const asked = { dns: ["1.1.1.1"], dnsSearch: ["."], dnsOptions: ["ndots:5"] };
    expect(renderResolvConf(asked, bridged, "nameserver 10.0.0.53\nsearch a.org\n")).toBe(
      "nameserver 1.1.1.1\noptions ndots:5\n",
    );
  });

  test("is the host's own in host mode, stub and all", () => {
    const host = "# local\nnameserver 127.0.0.53\n";
    expect(renderResolvConf(noDns, { ...bridged, isHostMode: true }, host)).toBe(host);
  });

  test("counts the last of several search lists", () => {
    expect(parseResolvConf("search a\nsearch b c\n").search).toEqual(["b", "c"]);
  });
});
