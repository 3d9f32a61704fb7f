import { describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { z } from "zod";
import { type PluginLimits, Plugins } from "#plugin";
import { type Answer, FakePlugin, type PluginFault } from "../../fakes/plugin.ts";
import { scratch } from "../../fakes/scratch.ts";

const ANSWERS: Record<string, Answer> = {
  "Plugin.Activate": () => ({ Implements: ["NetworkDriver"] }),
  "NetworkDriver.Ask": () => ({ Value: "yes" }),
};
const Value = z.object({ Value: z.string() });
const hasOpenssl = Bun.which("openssl") !== null;
const why = hasOpenssl ? "" : " (skipped: openssl is not installed)";
const QUICK: PluginLimits = { question: 150, ending: 150, deed: 150, retry: 0 };

async function house(limits: Partial<PluginLimits> = {}) {
  const root = await scratch();
  const path = `${root.path}/run/fake.sock`;
  const server = await FakePlugin.start(path, ANSWERS);
  const plugins = new Plugins({ folders: { sockets: [`${root.path}/run`], specs: [root.path] }, limits });
  const close = async () => {
    await server[Symbol.asyncDispose]();
    await root[Symbol.asyncDispose]();
  };
  return { root: root.path, path, server, plugins, [Symbol.asyncDispose]: close };
}

describe("plugins", () => {
  test("are shaken hands with once, at first use, in their protocol's words", async () => {
    await using one = await house();
    const { server, plugins } = one;
    expect(server.asked).toEqual([]);
    const plugin = await plugins.require("fake", "NetworkDriver");
    expect(await plugin.call("NetworkDriver.Ask", { A: 1 }, Value)).toEqual({ Value: "yes" });
    expect(await plugins.find("fake", "VolumeDriver")).toBeUndefined();
    expect(server.asked).toEqual([
      { method: "Plugin.Activate", body: {} },
      { method: "NetworkDriver.Ask", body: { A: 1 } },
    ]);
    expect(new Set(server.accepted)).toEqual(new Set(["application/vnd.docker.plugins.v1.2+json"]));
  });

  test("that are not there or do something else are not found", async () => {
    await using one = await house();
    const { plugins } = one;
    expect(await plugins.find("nobody", "NetworkDriver")).toBeUndefined();
    await expect(plugins.require("fake", "VolumeDriver")).rejects.toThrow(
      "Cannot use the plugin fake as a VolumeDriver",
    );
  });

  test.each<[string, PluginFault, RegExp]>([
    ["hangs", { kind: "hang" }, /no answer within 0\.15 seconds/],
    ["dies in the middle", { kind: "die" }, /its connection ended before it had answered/],
    ["refuses", { kind: "refuse", reason: "no room" }, /^NetworkDriver\.Ask: no room \(plugin fake\)$/],
    ["refuses with 200", { kind: "refuse", reason: "no room", status: 200 }, /no room/],
    ["says no JSON", { kind: "text", text: "<html>" }, /it is not JSON/],
    ["says something else", { kind: "text", text: '{"Value":7}' }, /Value: /],
    ["says too much", { kind: "text", text: "x".repeat(5 * 1024 * 1024) }, /longer than 4194304 bytes/],
  ])("one that %s is named with the call", async (_what, fault, words) => {
    // Only who hangs is to run out of time, however busy the machine is.
    await using one = await house(fault.kind === "hang" ? QUICK : undefined);
    const plugin = await one.plugins.require("fake", "NetworkDriver");
    one.server.faults.set("NetworkDriver.Ask", fault);
    const asked = plugin.call("NetworkDriver.Ask", {}, Value);
    await expect(asked).rejects.toThrow(words);
    await expect(asked).rejects.toThrow(/NetworkDriver\.Ask.*fake/s);
    one.server.faults.clear();
    expect(await plugin.call("NetworkDriver.Ask", {}, Value)).toEqual({ Value: "yes" });
  });

  test("one whose handshake fails is asked again the next time", async () => {
    await using one = await house();
    one.server.faults.set("Plugin.Activate", { kind: "refuse", reason: "not yet" });
    await expect(one.plugins.find("fake", "NetworkDriver")).rejects.toThrow("Plugin.Activate: not yet");
    one.server.faults.clear();
    expect(await one.plugins.find("fake", "NetworkDriver")).toBeDefined();
  });

  test("a deed waits for one that starts again; a question does not", async () => {
    await using one = await house({ retry: 60_000 });
    const plugin = await one.plugins.require("fake", "NetworkDriver");
    await one.server.stop({ leavesSocket: true });
    await expect(plugin.call("NetworkDriver.Ask", {}, Value, "question")).rejects.toThrow("cannot be used");
    const asked = plugin.call("NetworkDriver.Ask", {}, Value);
    await one.server.start();
    expect(await asked).toEqual({ Value: "yes" });
  });

  test("one that is not there yet is waited for before a deed", async () => {
    await using one = await house({ retry: 60_000 });
    const asked = one.plugins.require("late", "NetworkDriver", "deed");
    await using _late = await FakePlugin.start(`${one.root}/run/late.sock`, ANSWERS);
    expect((await asked).name).toBe("late");
  });

  test("one that is gone for good is waited for no longer than the limit", async () => {
    await using one = await house({ retry: 300 });
    const plugin = await one.plugins.require("fake", "NetworkDriver");
    await one.server.stop();
    await expect(plugin.call("NetworkDriver.Ask", {}, Value)).rejects.toThrow(
      /NetworkDriver\.Ask: the plugin fake at unix:.* nobody listens there; see that it runs/,
    );
  });

  test("one over TCP is spoken to directly, whatever proxy the environment has", async () => {
    await using one = await house(QUICK);
    const answer = () => Response.json({ Implements: ["IpamDriver"] });
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
    await writeFile(`${one.root}/far.spec`, `tcp://127.0.0.1:${server.port}`);
    const before = process.env.HTTP_PROXY;
    process.env.HTTP_PROXY = `http://127.0.0.1:1`;
    try {
      expect((await one.plugins.find("far", "IpamDriver"))?.name).toBe("far");
      expect(await one.plugins.find("fake", "NetworkDriver")).toBeDefined();
    } finally {
      if (before === undefined) delete process.env.HTTP_PROXY;
      else process.env.HTTP_PROXY = before;
      await server.stop(true);
    }
  });

  test("all of a kind, and those that cannot be asked", async () => {
    await using one = await house(QUICK);
    await using other = await FakePlugin.start(`${one.root}/run/other/other.sock`, {
      "Plugin.Activate": () => ({ Implements: ["VolumeDriver", "NetworkDriver"] }),
    });
    await using silent = await FakePlugin.start(`${one.root}/run/silent.sock`, ANSWERS);
    silent.faults.set("Plugin.Activate", { kind: "hang" });
    const { plugins, failures } = await one.plugins.all("NetworkDriver");
    expect(plugins.map(({ name }) => name)).toEqual(["fake", "other"]);
    expect(failures.map(({ name }) => name)).toEqual(["silent"]);
    expect(other.asked.length).toBe(1);
  });

  test.skipIf(!hasOpenssl)(`one over TLS is known by its certificate's authority${why}`, async () => {
    await using one = await house(QUICK);
    const { root, plugins } = one;
    await mkdir(`${root}/tls`);
    const made = Bun.spawnSync([
      ..."openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost".split(" "),
      ..."-addext subjectAltName=DNS:localhost".split(" "),
      ...["-keyout", `${root}/tls/key.pem`, "-out", `${root}/tls/cert.pem`],
    ]);
    expect(made.exitCode).toBe(0);
    const key = await Bun.file(`${root}/tls/key.pem`).text();
    const cert = await Bun.file(`${root}/tls/cert.pem`).text();
    await using server = await FakePlugin.start(`${root}/unused`, ANSWERS, { key, cert });
    const spec = (tls: object) =>
      JSON.stringify({ Addr: `https://localhost:${server.port}`, TLSConfig: tls });
    await writeFile(`${root}/far.json`, spec({}));
    await expect(plugins.find("far", "NetworkDriver")).rejects.toThrow(/certificate/i);
    await writeFile(`${root}/far.json`, spec({ CAFile: `${root}/tls/cert.pem` }));
    expect(await plugins.find("far", "NetworkDriver")).toBeDefined();
    await writeFile(`${root}/near.json`, spec({ InsecureSkipVerify: true }));
    expect(await plugins.find("near", "NetworkDriver")).toBeDefined();
    await writeFile(`${root}/lost.json`, spec({ CAFile: `${root}/none.pem` }));
    await expect(plugins.find("lost", "NetworkDriver")).rejects.toThrow("none.pem");
  });
});
