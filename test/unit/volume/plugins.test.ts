import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { GraphDB } from "#graphdb";
import { type PluginLimits, Plugins } from "#plugin";
import { localVolumes, openVolumes, pluginVolumes } from "#volume";
import { FakePlugin, type PluginFault, volumeAnswers } from "../../fakes/plugin.ts";
import { scratch } from "../../fakes/scratch.ts";
import { until } from "../../fakes/until.ts";

const QUICK: PluginLimits = { question: 150, ending: 150, deed: 150, retry: 0 };

async function house() {
  const root = await scratch();
  const database = new GraphDB(":memory:");
  const kept = `${root.path}/kept`;
  const server = await FakePlugin.start(`${root.path}/run/kept.sock`, volumeAnswers(kept, "global"));
  const complaints: string[] = [];
  /** As a daemon that starts. */
  const open = () =>
    openVolumes({
      database,
      root: `${root.path}/volumes`,
      kinds: [localVolumes],
      found: pluginVolumes(
        new Plugins({ folders: { sockets: [`${root.path}/run`], specs: [] }, limits: QUICK }),
      ),
      complain: (sentence) => complaints.push(sentence),
    });
  const close = async () => {
    await server[Symbol.asyncDispose]();
    await root[Symbol.asyncDispose]();
  };
  const volumes = await open();
  return { root: root.path, kept, server, open, volumes, complaints, [Symbol.asyncDispose]: close };
}

describe("volumes of a plugin", () => {
  test("are made with their options, shown with their status, and removed", async () => {
    await using one = await house();
    const { volumes, server, kept } = one;
    const made = await volumes.create({ name: "data", driver: "kept", options: { size: "1g" } });
    expect(made).toMatchObject({ driver: "kept", scope: "global", options: { size: "1g" }, mountpoint: "" });
    expect(server.calls("VolumeDriver.Create")).toEqual([{ Name: "data", Opts: { size: "1g" } }]);
    expect(await volumes.view("data")).toMatchObject({ status: { Kept: "here" } });
    await volumes.remove("data");
    expect(readdirSync(kept)).toEqual([]);
  });

  test("are mounted under their holder's id, and stay mounted over an end of the daemon", async () => {
    await using one = await house();
    const { volumes, server, kept } = one;
    await volumes.create({ name: "data", driver: "kept", holder: "c1" });
    expect(await volumes.mount("data", "c1")).toBe(`${kept}/data`);
    expect(await volumes.mount("data", "c2")).toBe(`${kept}/data`);
    await expect(volumes.remove("data")).rejects.toThrow("volume is in use");
    const later = await one.open();
    await later.sweep(new Set(["c1", "c2"]), new Set(["c1"]));
    await until(() => later.holdersOf("data").length === 1);
    expect(server.calls("VolumeDriver.Unmount")).toEqual([{ Name: "data", ID: "c2" }]);
    await later.unmount("data", "c1");
    later.release("c1");
    await later.remove("data");
    expect(readdirSync(kept)).toEqual([]);
  });

  test("that it has of its own accord are listed, and forgotten when it has them no more", async () => {
    await using one = await house();
    const { volumes, server } = one;
    await volumes.create({ name: "mine" });
    await volumes.create({ name: "used", driver: "kept", holder: "c1" });
    await volumes.create({ name: "free", driver: "kept" });
    server.answers["VolumeDriver.List"] = () => ({ Volumes: [{ Name: "theirs" }, { Name: "../evil" }] });
    expect(await volumes.discover()).toEqual([]);
    expect(volumes.list().map(({ name, driver }) => `${name} ${driver}`)).toEqual([
      "mine local",
      "theirs kept",
      "used kept",
    ]);
    server.faults.set("VolumeDriver.List", { kind: "hang" });
    expect((await volumes.discover()).join()).toMatch(
      /The volumes of the driver kept .* within 0\.15 seconds/,
    );
    expect(volumes.list().length).toBe(3);
  });

  test.each<[string, string, PluginFault, RegExp]>([
    ["hangs", "Create", { kind: "hang" }, /VolumeDriver\.Create: the plugin kept .*no answer within/],
    ["dies", "Create", { kind: "die" }, /VolumeDriver\.Create: the plugin kept .*connection ended/],
    ["refuses", "Create", { kind: "refuse", reason: "full" }, /VolumeDriver\.Create: full \(plugin kept\)/],
    [
      "lies",
      "Capabilities",
      { kind: "text", text: '{"Capabilities":{"Scope":"moon"}}' },
      /plugin kept .*Scope/,
    ],
  ])("one that %s at %s leaves no volume", async (_what, call, fault, words) => {
    await using one = await house();
    one.server.faults.set(`VolumeDriver.${call}`, fault);
    await expect(one.volumes.create({ name: "data", driver: "kept" })).rejects.toThrow(words);
    expect(one.volumes.list()).toEqual([]);
    expect(readdirSync(one.kept)).toEqual([]);
    one.server.faults.clear();
    await one.volumes.create({ name: "data", driver: "kept" });
  });

  test.each<[PluginFault, RegExp]>([
    [{ kind: "text", text: '{"Mountpoint":"rel/path"}' }, /plugin kept .*"rel\/path" .*not an absolute path/],
    [{ kind: "text", text: '{"Mountpoint":"/no/such/place"}' }, /"\/no\/such\/place" .*does not exist/],
    [{ kind: "text", text: '{"Mountpoint":7}' }, /VolumeDriver\.Mount: the plugin kept .*Mountpoint/],
    [{ kind: "refuse", reason: "no disk" }, /VolumeDriver\.Mount: no disk/],
    [{ kind: "die" }, /VolumeDriver\.Mount: .*connection ended/],
  ])("a mount that comes to nothing is undone: %p", async (fault, words) => {
    await using one = await house();
    const { volumes, server } = one;
    await volumes.create({ name: "data", driver: "kept" });
    server.faults.set("VolumeDriver.Mount", fault);
    await expect(volumes.mount("data", "c1")).rejects.toThrow(words);
    expect(volumes.holdersOf("data")).toEqual([]);
    expect(server.calls("VolumeDriver.Unmount")).toEqual([{ Name: "data", ID: "c1" }]);
    expect(one.complaints).toEqual([]);
    await volumes.remove("data");
  });

  test("one that it will not give up stays; of a plugin that is gone it goes by force", async () => {
    await using one = await house();
    const { volumes, server, kept } = one;
    await volumes.create({ name: "data", driver: "kept" });
    await volumes.mount("data", "gone");
    await server.stop();
    await volumes.unmount("data", "gone");
    expect(one.complaints).toEqual(["The plugin kept may have the volume data mounted still"]);
    await expect(volumes.remove("data")).rejects.toThrow("volume is in use");
    await volumes.remove("data", { force: true });
    expect(volumes.find("data")).toBeUndefined();
    expect(one.complaints.at(-1)).toBe("Something of the volume data may be left with its plugin");
    expect(existsSync(`${kept}/data`)).toBe(true);
    await server.start();
    await volumes.discover("data");
    server.faults.set("VolumeDriver.Remove", { kind: "refuse", reason: "still in use" });
    await expect(volumes.remove("data")).rejects.toThrow("still in use");
    expect(volumes.find("data")?.driver).toBe("kept");
    expect((await one.open()).find("data")?.driver).toBe("kept");
    server.faults.clear();
    await volumes.remove("data");
  });

  test("that could not be unmounted are before they are removed", async () => {
    await using one = await house();
    const { volumes, server, kept } = one;
    await volumes.create({ name: "data", driver: "kept" });
    await volumes.mount("data", "gone");
    await server.stop();
    await volumes.unmount("data", "gone");
    await server.start();
    await volumes.remove("data");
    expect(server.calls("VolumeDriver.Unmount")).toEqual([{ Name: "data", ID: "gone" }]);
    expect(readdirSync(kept)).toEqual([]);
  });

  test("keep no start waiting, whatever their plugin does", async () => {
    await using one = await house();
    const { volumes, server } = one;
    await volumes.create({ name: "data", driver: "kept" });
    await volumes.mount("data", "gone");
    server.faults.set("VolumeDriver.Unmount", { kind: "hang" });
    const later = await one.open();
    const swept = later.sweep(new Set(), new Set()).then(() => later.holdersOf("data"));
    expect(await swept).toEqual(["gone"]);
    await until(() => one.complaints.length > 0);
    server.faults.clear();
    await later.remove("data");
  });

  test("of a plugin that nobody has are refused in Docker's words", async () => {
    await using one = await house();
    await expect(one.volumes.create({ name: "data", driver: "nobody" })).rejects.toThrow(
      'error looking up volume plugin nobody: plugin "nobody" not found',
    );
  });

  test("of a plugin before capabilities are of this host", async () => {
    await using one = await house();
    one.server.faults.set("VolumeDriver.Capabilities", { kind: "refuse", reason: "what?", status: 404 });
    expect((await one.volumes.create({ name: "data", driver: "kept" })).scope).toBe("local");
  });
});
