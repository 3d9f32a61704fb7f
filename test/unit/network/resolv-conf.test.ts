import { describe, expect, test } from "bun:test";
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { renderEmbeddedResolvConf } from "../../../src/network/dns/resolv-conf.ts";
import { upstreamsOf } from "../../../src/network/dns/upstream.ts";
import {
  changeOwnHosts,
  moveLinkedHost,
  refreshResolvConf,
  renderHosts,
  writeFiles,
} from "../../../src/network/files.ts";
import { isEdited, seal } from "../../../src/network/resolv-conf.ts";
import { scratch } from "../../fakes/scratch.ts";

const request = {
  containerId: "c",
  name: "web",
  hostname: "web",
  domainname: "",
  mode: { kind: "networks" as const },
  endpoints: [],
  ports: [],
  dns: [] as string[],
  dnsSearch: ["example.org"],
  dnsOptions: [] as string[],
  extraHosts: [],
};
const facts = { addresses: ["172.18.0.2"], hostGateway: "", isHostMode: false, hasIpv6: false };

describe("a seal", () => {
  test.each([
    ["as it was written", (text: string) => text, false],
    ["empty", () => "", false],
    ["with a line behind", (text: string) => `${text}nameserver 1.1.1.1\n`, true],
    ["with a line before", (text: string) => `nameserver 1.1.1.1\n${text}`, true],
    ["cut short", (text: string) => text.slice(0, -3), true],
    ["without its last line", () => "nameserver 10.0.0.1\n", true],
    ["another text altogether", () => "# sum nothing\n", true],
  ])("says of a file %s whether somebody changed it", (_, change, expected) => {
    expect(isEdited(change(seal("nameserver 10.0.0.1\n")))).toBe(expected);
  });
});

describe("resolv.conf of a container on a user-defined network", () => {
  const asked = { dnsSearch: [] as string[], dnsOptions: [] as string[] };
  const upstream = [
    { address: "127.0.0.53", from: "host" as const },
    { address: "10.0.0.1", from: "container" as const },
  ];

  test("names our server, the host's search list and options, and who is asked beyond", () => {
    const text = renderEmbeddedResolvConf(
      asked,
      upstream,
      "nameserver 127.0.0.53\nsearch a.org\noptions edns0\n",
    );
    expect(text.split("\n").filter((line) => !line.startsWith("#"))).toEqual([
      "nameserver 127.0.0.11",
      "search a.org",
      "options edns0 ndots:0",
      "",
    ]);
    expect(text).toContain("# ExtServers: [host(127.0.0.53) 10.0.0.1]\n");
  });

  test("takes what was asked for in place of the host's", () => {
    const own = { dnsSearch: ["."], dnsOptions: ["ndots:2"] };
    const text = renderEmbeddedResolvConf(own, upstream, "search a.org\noptions edns0\n");
    expect(text).not.toContain("search");
    expect(text).toContain("options ndots:2\n");
  });

  test("is made again at each start, until somebody writes in it", async () => {
    await using folder = await scratch();
    const here = { ...request, directory: folder.path };
    const embedded = (address: string) => ({ ...facts, embedded: [{ address, from: "host" as const }] });
    const { resolvConf } = writeFiles(here, embedded("10.0.0.1"));
    writeFiles(here, embedded("10.0.0.2"));
    expect(readFileSync(resolvConf, "utf8")).toContain("host(10.0.0.2)");
    refreshResolvConf(here, embedded("10.0.0.3"));
    expect(readFileSync(resolvConf, "utf8")).toContain("host(10.0.0.3)");
    writeFileSync(resolvConf, "nameserver 9.9.9.9\n");
    writeFiles(here, embedded("10.0.0.4"));
    refreshResolvConf(here, embedded("10.0.0.5"));
    expect(readFileSync(resolvConf, "utf8")).toBe("nameserver 9.9.9.9\n");
  });
});

test.each([
  [[], "nameserver 127.0.0.53\n", ["host(127.0.0.53)"]],
  [[], "nameserver 10.0.0.1\nnameserver fd00::1\n", ["10.0.0.1", "host(fd00::1)"]],
  [["1.1.1.1", "127.0.0.11", "127.0.0.1"], "nameserver 10.0.0.1\n", ["1.1.1.1", "127.0.0.1"]],
  [[], "", ["8.8.8.8", "8.8.4.4"]],
  [
    [],
    "nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\n",
    ["1.0.0.1", "1.0.0.2", "1.0.0.3"],
  ],
])("of --dns %p and the host's %p the servers are %p", (dns, hostResolvConf, expected) => {
  const upstream = upstreamsOf({ dns, hostResolvConf, hasIpv6: false });
  expect(upstream.map(({ address, from }) => (from === "host" ? `host(${address})` : address))).toEqual(
    expected,
  );
});

test("a linked container's line in hosts follows its address, in the same file", async () => {
  await using folder = await scratch();
  const linkedHosts = [{ address: "172.17.0.2", names: ["db", "0123456789ab", "postgres"] }];
  const { hosts } = writeFiles({ ...request, linkedHosts, directory: folder.path }, facts);
  const before = readFileSync(hosts, "utf8");
  expect(before).toBe(renderHosts({ ...request, linkedHosts }, facts, ""));
  expect(before).toContain("172.17.0.2\tdb 0123456789ab postgres\n172.18.0.2\tweb\n");
  writeFileSync(hosts, "10.0.0.1\tmine db\n", { flag: "a" });
  moveLinkedHost(folder.path, { address: "172.17.0.9", names: ["db", "0123456789ab", "postgres"] });
  expect(readFileSync(hosts, "utf8")).toBe(
    `${before.replace("172.17.0.2", "172.17.0.9")}10.0.0.1\tmine db\n`,
  );
});

test("files that a container has blown up are left as they are", async () => {
  await using folder = await scratch();
  const here = { ...request, directory: folder.path };
  const names = ["db"];
  const { hosts, resolvConf } = writeFiles({ ...here, linkedHosts: [{ address: "10.0.0.1", names }] }, facts);
  // Sparse: it costs whoever makes it nothing.
  const bytes = 2 ** 40;
  for (const path of [hosts, resolvConf]) truncateSync(path, bytes);
  moveLinkedHost(folder.path, { address: "10.0.0.2", names });
  changeOwnHosts(here, { add: ["10.0.0.3"] });
  refreshResolvConf(here, facts);
  expect([hosts, resolvConf].map((path) => statSync(path).size)).toEqual([bytes, bytes]);
});
