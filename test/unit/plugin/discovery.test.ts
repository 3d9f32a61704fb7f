import { describe, expect, test } from "bun:test";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { findPlugin, listPlugins, parseAddress } from "../../../src/plugin/discovery.ts";
import { FakePlugin } from "../../fakes/plugin.ts";
import { scratch } from "../../fakes/scratch.ts";

async function house() {
  const root = await scratch();
  const folders = {
    sockets: [`${root.path}/run`, `${root.path}/run2`],
    specs: [`${root.path}/etc`, `${root.path}/lib`],
  };
  const write = async (path: string, text: string) => {
    await mkdir(dirname(`${root.path}/${path}`), { recursive: true });
    await writeFile(`${root.path}/${path}`, text);
  };
  return { folders, write, path: root.path, [Symbol.asyncDispose]: () => root[Symbol.asyncDispose]() };
}

describe("discovery", () => {
  test("sockets, specifications and their own folders; a socket goes before a file", async () => {
    await using one = await house();
    const { folders, write, path } = one;
    await using _flat = await FakePlugin.start(`${path}/run/flat.sock`, {});
    await using _deep = await FakePlugin.start(`${path}/run2/deep/deep.sock`, {});
    await write("etc/flat.spec", "tcp://10.0.0.1:80");
    await write("etc/plain.spec", "  unix:///run/other.sock\n");
    await write("lib/far/far.json", '{"Name":"far","Addr":"tcp://10.0.0.9:4040"}');
    await write("run/no.sock", "a file, no socket");
    expect(await findPlugin(folders, "flat")).toEqual({ kind: "unix", path: `${path}/run/flat.sock` });
    expect(await findPlugin(folders, "deep")).toEqual({ kind: "unix", path: `${path}/run2/deep/deep.sock` });
    expect(await findPlugin(folders, "plain")).toEqual({ kind: "unix", path: "/run/other.sock" });
    expect(await findPlugin(folders, "far")).toEqual({ kind: "tcp", host: "10.0.0.9:4040" });
    expect(await findPlugin(folders, "no")).toBeUndefined();
    expect(await findPlugin(folders, "nobody")).toBeUndefined();
    expect(await listPlugins(folders)).toEqual(["deep", "far", "flat", "no", "plain"]);
  });

  test("names that lead elsewhere are none", async () => {
    await using one = await house();
    const { folders, path } = one;
    await using _out = await FakePlugin.start(`${path}/out.sock`, {});
    await mkdir(folders.sockets[0] ?? "", { recursive: true });
    for (const name of ["../out", "a/../../out", "..", ".", "", "a b", `${"x".repeat(129)}`])
      expect(await findPlugin(folders, name)).toBeUndefined();
    await symlink(`${path}/out.sock`, `${path}/run/linked.sock`);
    expect(await findPlugin(folders, "linked")).toMatchObject({ kind: "unix" });
  });

  test("a specification with TLS has the paths of its files", async () => {
    await using one = await house();
    const tls = { InsecureSkipVerify: false, CAFile: "/ca.pem", CertFile: "/c.pem", KeyFile: "/k.pem" };
    await one.write("etc/a.json", JSON.stringify({ Addr: "https://plugin.example:8080", TLSConfig: tls }));
    expect(await findPlugin(one.folders, "a")).toEqual({
      kind: "tcp",
      host: "plugin.example:8080",
      tls: { isUnverified: false, caFile: "/ca.pem", certFile: "/c.pem", keyFile: "/k.pem" },
    });
  });

  test.each([
    ["a.json", "{", /a\.json/],
    ["a.json", "{}", /Cannot use the plugin of .*a\.json/],
    ["a.json", '{"Addr":"tcp://h:1","TLSConfig":{"CertFile":"/c"}}', /go together/],
    ["a.spec", "", /"" is no address/],
    ["a.spec", "/run/x.sock", /is no address/],
    ["a.spec", "unix://run/x.sock", /is no address/],
    ["a.spec", "ftp://host", /is no address/],
    ["a.spec", `tcp://${"x".repeat(70_000)}`, /longer than 65536 bytes/],
  ])("%s with %p is refused", async (file, text, words) => {
    await using one = await house();
    await one.write(`etc/${file}`, text);
    await expect(findPlugin(one.folders, "a")).rejects.toThrow(words);
  });

  test("an address without a port has HTTP's", () => {
    expect(parseAddress("tcp://host", "x")).toEqual({ kind: "tcp", host: "host:80" });
  });
});
