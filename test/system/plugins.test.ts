import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { mountsBelow } from "#host";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";

const IDLE = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1 & wait; done"];
const PROGRAM = join(import.meta.dir, "../fixtures/plugin-process.ts");

let part: HostPart;
let plugin: Bun.Subprocess<"ignore", "pipe", "inherit">;

const volumesOfPlugin = () => `${part.daemon.root}/plugged`;
const socket = () => `${part.daemon.execRoot}/plugins/plug.sock`;
const ok = (...words: string[]) => part.daemon.ok(...words);

async function startPlugin(): Promise<void> {
  const words = [process.execPath, PROGRAM, socket(), volumesOfPlugin()];
  plugin = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  const { value } = await plugin.stdout.getReader().read();
  if (value === undefined) throw new Error("The plugin did not start");
}

async function killPlugin(): Promise<void> {
  plugin?.kill("SIGKILL");
  await plugin?.exited;
}

beforeAll(async () => {
  part = await HostPart.open("busybox");
  await startPlugin();
}, PATIENCE);
afterAll(async () => {
  await killPlugin();
  await part?.[Symbol.asyncDispose]();
}, PATIENCE);

describe("a plugin that is a program", () => {
  test("is told of by info, and there are no managed ones", async () => {
    const { Plugins } = await part.daemon.json<{ Plugins: Record<string, string[]> }>("/info");
    expect(Plugins.Volume).toEqual(["local", "plug"]);
    expect(Plugins.Network).toContain("plug");
    expect(await part.daemon.json<unknown>("/plugins")).toEqual([]);
  });

  test(
    "keeps volumes, mounted for the first container and until the last",
    async () => {
      expect(await ok("volume", "create", "-d", "plug", "kept")).toBe("kept");
      expect(await ok("volume", "ls", "--format", "{{.Driver}} {{.Name}} {{.Scope}}")).toBe(
        "plug kept global",
      );
      expect(mountsBelow(volumesOfPlugin())).toEqual([]);
      const one = await part.start(IDLE, { Binds: ["kept:/v"] });
      const two = await part.start(IDLE, { Binds: ["fresh:/v"], VolumeDriver: "plug" });
      const also = await part.start(IDLE, { Binds: ["kept:/v:ro"] });
      await ok("exec", one.id, "sh", "-c", "echo shared >/v/file");
      expect(await ok("exec", also.id, "cat", "/v/file")).toBe("shared");
      expect(await ok("exec", two.id, "ls", "/v")).toBe("");
      expect((await part.daemon.cli("volume", "rm", "kept")).stderr).toContain("volume is in use");
      await part.daemon.kill();
      await part.daemon.start();
      await ok("rm", "-f", one.id, two.id);
      expect(await ok("exec", also.id, "cat", "/v/file")).toBe("shared");
      await ok("rm", "-f", also.id);
      expect(mountsBelow(volumesOfPlugin())).toEqual([]);
      await ok("volume", "rm", "kept", "fresh");
      expect(existsSync(`${volumesOfPlugin()}/kept`)).toBe(false);
      expect(await ok("volume", "ls", "-q")).toBe("");
    },
    PATIENCE,
  );

  test(
    "makes networks, whose links go into containers",
    async () => {
      await ok("network", "create", "-d", "plug", "--subnet", "10.157.0.0/24", "-o", "speed=1", "wired");
      const one = await part.start(IDLE, { NetworkMode: "wired" });
      const shown = await ok("exec", one.id, "ip", "address", "show", "eth0");
      expect(shown).toContain("10.157.0.2/24");
      expect(await ok("exec", one.id, "ip", "route")).toContain("default via 10.157.0.1 dev eth0");
      expect(await ok("exec", one.id, "ping", "-c", "1", "-W", "5", "10.157.0.1")).toContain(
        "1 packets received",
      );
      const { NetworkSettings } = await part.inspect(one.id);
      const seen = NetworkSettings.Networks.wired as unknown as Record<string, string>;
      expect(seen).toMatchObject({ IPAddress: "10.157.0.2", Gateway: "10.157.0.1" });
      expect(shown).toContain(seen.MacAddress ?? "no address");
      await part.daemon.kill();
      await part.daemon.start();
      const two = await part.start(IDLE);
      await ok("network", "connect", "wired", two.id);
      expect(await ok("exec", two.id, "ip", "address", "show", "eth1")).toContain("10.157.0.3/24");
      await ok("network", "disconnect", "wired", two.id);
      expect((await part.daemon.cli("exec", two.id, "ip", "link", "show", "eth1")).code).not.toBe(0);
      await ok("rm", "-f", one.id, two.id);
      await ok("network", "rm", "wired");
    },
    PATIENCE,
  );

  test(
    "that is killed is named; what it kept goes by force, and the daemon goes on",
    async () => {
      await ok("network", "create", "-d", "plug", "--subnet", "10.158.0.0/24", "lost");
      await ok("volume", "create", "-d", "plug", "lost");
      const one = await part.start(IDLE, { NetworkMode: "lost", Binds: ["lost:/v"] });
      await killPlugin();
      await ok("rm", "-f", one.id);
      const volume = await part.daemon.cli("volume", "rm", "lost");
      expect([volume.code, volume.stderr]).toEqual([1, expect.stringContaining("lost")]);
      const network = await part.daemon.cli("network", "rm", "lost");
      expect([network.code, network.stderr]).toEqual([
        1,
        expect.stringMatching(/NetworkDriver\.DeleteNetwork: the plugin plug at unix:.* see that it runs/),
      ]);
      await ok("volume", "rm", "-f", "lost");
      const id = (await part.daemon.json<{ Id: string }>("/networks/lost")).Id;
      await ok("network", "rm", "-f", "lost");
      expect(await ok("network", "ls", "-q", "-f", "driver=plug")).toBe("");
      expect(await ok("volume", "ls", "-q")).toBe("");
      for (const words of [
        ["ip", "link", "del", `pb-${id.slice(0, 8)}`],
        ["umount", `${volumesOfPlugin()}/lost`],
      ])
        expect(Bun.spawnSync(words).exitCode).toBe(0);
      await startPlugin();
      await ok("volume", "create", "-d", "plug", "again");
      await ok("volume", "rm", "again");
    },
    PATIENCE,
  );
});
