import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";
import { command } from "../fixtures/own-network.ts";

let part: HostPart;

beforeAll(async () => {
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

const daemon = () => part.daemon;
const inside = (...words: string[]) => daemon().ok("exec", "web", ...words);
const ownLinks = async () =>
  (await inside("ls", "/sys/class/net")).split(/\s+/).filter((name) => name !== "lo");
const defaultRoute = async () => /^default .*$/m.exec(await inside("ip", "route"))?.[0].trim() ?? "";

async function withNetworks(names: readonly string[], work: () => Promise<void>): Promise<void> {
  await using undo = new AsyncDisposableStack();
  for (const [index, name] of names.entries()) {
    await daemon().ok("network", "create", "--subnet", `10.13${index}.0.0/24`, name);
    undo.defer(async () => void (await daemon().ok("network", "rm", name)));
  }
  undo.defer(async () => void (await daemon().cli("rm", "-f", "web", "peer")));
  await work();
}

/** What has happened to networks that "web" is on, `action network`, in order. */
async function networkEvents(since: number): Promise<readonly string[]> {
  const filters = encodeURIComponent(JSON.stringify({ type: ["network"] }));
  const until = Date.now() / 1000;
  const reply = await daemon().request("GET", `/events?since=${since}&until=${until}&filters=${filters}`);
  const { Id } = await daemon().json<{ Id: string }>("/containers/web/json");
  return (await reply.text()).split("\n").flatMap((line) => {
    if (line === "") return [];
    const { Action, Actor } = JSON.parse(line);
    return Actor.Attributes.container === Id ? [`${Action} ${Actor.Attributes.name}`] : [];
  });
}

async function said(port: number): Promise<string> {
  let text = "";
  await until(
    () =>
      fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1000), keepalive: false }).then(
        async (reply) => {
          text = (await reply.text()).trim();
          return true;
        },
        () => false,
      ),
    (answered) => answered,
  );
  return text;
}

const SERVE = ["sh", "-c", "mkdir /w; echo here > /w/index.html; exec httpd -f -p 80 -h /w"];

describe("a container that runs", () => {
  test("comes to networks and leaves them, with its routes, its names and its published port", async () => {
    await withNetworks(["beta", "alpha"], async () => {
      await daemon().ok("run", "-d", "--name", "web", "-p", "8140:80", "busybox", ...SERVE);
      expect(await said(8140)).toBe("here");
      const before = await inside("cat", "/etc/hosts");
      const inode = await inside("stat", "-c", "%i", "/etc/hosts");
      const since = Date.now() / 1000;
      await daemon().ok("network", "connect", "--alias", "www", "--ip", "10.130.0.50", "beta", "web");
      expect(await ownLinks()).toEqual(["eth0", "eth1"]);
      // beta comes before bridge.
      expect(await defaultRoute()).toBe("default via 10.130.0.1 dev eth1");
      expect(await inside("cat", "/etc/hosts")).toStartWith(`${before}\n10.130.0.50`);
      expect(await inside("stat", "-c", "%i", "/etc/hosts")).toBe(inode);
      expect(await said(8140)).toBe("here");
      await daemon().ok("network", "connect", "--gw-priority", "-1", "alpha", "web");
      expect(await defaultRoute()).toBe("default via 10.130.0.1 dev eth1");
      const fetched = await daemon().ok(
        "run",
        "--rm",
        "--network",
        "beta",
        "busybox",
        "wget",
        "-qO-",
        "http://www/",
      );
      expect(fetched).toBe("here");
      await daemon().ok("network", "disconnect", "bridge", "web");
      expect(await ownLinks()).toEqual(["eth1", "eth2"]);
      expect(await said(8140)).toBe("here");
      await daemon().ok("network", "disconnect", "beta", "web");
      expect(await defaultRoute()).toBe("default via 10.131.0.1 dev eth2");
      expect(await said(8140)).toBe("here");
      await daemon().ok("network", "disconnect", "alpha", "web");
      expect([await ownLinks(), await defaultRoute()]).toEqual([[], ""]);
      await daemon().ok("network", "connect", "bridge", "web");
      expect(await said(8140)).toBe("here");
      expect(await networkEvents(since)).toEqual([
        "connect beta",
        "connect alpha",
        "disconnect bridge",
        "disconnect beta",
        "disconnect alpha",
        "connect bridge",
      ]);
      await daemon().ok("restart", "-t", "0", "web");
      expect(await ownLinks()).toEqual(["eth0"]);
      expect(await said(8140)).toBe("here");
    });
  });

  test("keeps all through a restart of the daemon, also one that was killed and whose bridge has gone", async () => {
    await withNetworks(["front"], async () => {
      const { Id } = await daemon().json<{ Id: string }>("/networks/front");
      await daemon().ok(
        "run",
        "-d",
        "--name",
        "web",
        "--network",
        "front",
        "-p",
        "8141:80",
        "busybox",
        ...SERVE,
      );
      await daemon().ok("run", "-d", "--name", "peer", "--network", "front", "busybox", "sleep", "600");
      await daemon().ok("network", "connect", "bridge", "web");
      await daemon().kill();
      const link = (await command("ip", "-json", "link", "show", "type", "bridge")).includes(
        `br-${Id.slice(0, 12)}`,
      );
      if (link) await command("ip", "link", "del", `br-${Id.slice(0, 12)}`);
      await daemon().start();
      const found = await daemon().ok("exec", "peer", "wget", "-qO-", "http://web/");
      expect(found).toBe("here");
      expect(await said(8141)).toBe("here");
      await daemon().ok("network", "disconnect", "front", "web");
      await daemon().ok("network", "connect", "--ip", "10.130.0.99", "front", "web");
      expect(await daemon().ok("exec", "peer", "wget", "-qO-", "http://web/")).toBe("here");
    });
  });

  test.each([
    ["endpoint.ifname", "com.docker.network.endpoint.ifname=lan0", "ls /sys/class/net", "lan0"],
    [
      "endpoint.sysctls",
      "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1",
      "cat /proc/sys/net/ipv4/conf/eth0/log_martians",
      "1",
    ],
  ])("has its endpoint's %s", async (_title, option, script, expected) => {
    await withNetworks(["front"], async () => {
      const network = `name=front,driver-opt=${option}`;
      const shown = await daemon().ok("run", "--rm", "--network", network, "busybox", "sh", "-c", script);
      expect(shown.split(/\s+/)).toContain(expected);
    });
  });

  test("of a stopped one connect and disconnect change what its next start does", async () => {
    await withNetworks(["front", "back"], async () => {
      await daemon().ok("create", "--name", "web", "--network", "front", "busybox", "sleep", "600");
      await daemon().ok("network", "connect", "--gw-priority", "3", "back", "web");
      await daemon().ok("network", "disconnect", "front", "web");
      const { NetworkSettings } = await daemon().json<{ NetworkSettings: { Networks: object } }>(
        "/containers/web/json",
      );
      expect(Object.keys(NetworkSettings.Networks)).toEqual(["back"]);
      await daemon().ok("start", "web");
      expect(await defaultRoute()).toBe("default via 10.131.0.1 dev eth0");
      const twice = await daemon().cli("network", "connect", "back", "web");
      expect(twice.stderr).toContain("endpoint with name web already exists in network back");
      const off = await daemon().cli("network", "disconnect", "front", "web");
      expect(off.stderr).toContain("is not connected to network front");
    });
  });
});

describe("a daemon that is killed at any moment", () => {
  test(
    "while networks are made and containers join and leave, leaves nothing half done",
    async () => {
      await daemon().ok("run", "-d", "--name", "web", "busybox", "sleep", "600");
      const links = async () =>
        (await command("ip", "-brief", "link"))
          .split("\n")
          .flatMap((line) => /^(br-|veth)\S*/.exec(line)?.[0] ?? []);
      const before = await links();
      for (let round = 0; round < 12; round += 1) {
        const work = (async () => {
          for (;;) {
            await daemon().request("POST", "/networks/create", { Name: "half", Driver: "bridge" });
            await daemon().request("POST", "/networks/half/connect", { Container: "web" });
            await daemon().request("POST", "/networks/half/disconnect", { Container: "web" });
            await daemon().request("DELETE", "/networks/half");
          }
        })().catch(() => undefined);
        await Bun.sleep(5 + ((round * 37) % 90));
        await daemon().kill();
        await work;
        await daemon().start();
        const known = await daemon().json<{ Name: string; Containers: object }[]>("/networks");
        const { NetworkSettings } = await daemon().json<{
          NetworkSettings: { Networks: Record<string, { IPAddress: string }> };
        }>("/containers/web/json");
        const isOn =
          NetworkSettings.Networks.half !== undefined && NetworkSettings.Networks.half.IPAddress !== "";
        expect((await ownLinks()).length).toBe(isOn ? 2 : 1);
        if (NetworkSettings.Networks.half !== undefined)
          await daemon().ok("network", "disconnect", "half", "web");
        if (known.some(({ Name }) => Name === "half")) await daemon().ok("network", "rm", "half");
        expect(await ownLinks()).toEqual(["eth0"]);
        await until(links, (now) => now.length === before.length);
      }
    },
    PATIENCE,
  );
});
