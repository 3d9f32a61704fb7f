import { afterAll, beforeAll, expect, test } from "bun:test";
import type { SandboxRequest } from "#network";
import { describeInOwnNetwork } from "../fixtures/describe-in-own-network.ts";
import { Host, port } from "../fixtures/network-host.ts";
import { makeNeighbour } from "../fixtures/network-neighbour.ts";
import { command, type OtherNetwork } from "../fixtures/own-network.ts";

describeInOwnNetwork(import.meta.path, () => {
  let neighbour: OtherNetwork;

  beforeAll(async () => {
    neighbour = await makeNeighbour();
  });

  afterAll(async () => neighbour[Symbol.asyncDispose]());

  test("the bridge keeps an address it has, takes the one asked for, and avoids what the host knows", async () => {
    await command("ip", "route", "add", "172.17.0.0/16", "dev", "out0");
    {
      await using host = await Host.start();
      expect(host.networks.find("bridge")?.ipam.pools[0]?.subnet).toBe("172.18.0.0/16");
    }
    await command("ip", "route", "del", "172.17.0.0/16", "dev", "out0");
    await using host = await Host.start({ bip: "10.44.0.5/24", fixedCidr: "10.44.0.128/25" });
    await using one = await host.start("one");
    expect(one.address).toBe("10.44.0.128");
    expect(one.sandbox.endpoints[0]?.gateway).toBe("10.44.0.5");
  });

  test("host, none and another container's network", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    const mode = async (id: string, how: SandboxRequest["mode"]) =>
      host.networks.prepare(await host.request(id, [port(80, 8020)], { mode: how }));
    const own = await mode("own", { kind: "host" });
    expect(own.namespace).toEqual({ kind: "host" });
    expect([own.ports, own.links, own.reservations]).toEqual([[], [], []]);
    expect(await Bun.file(`${host.directory}/own/hosts`).text()).toContain("127.0.0.1");
    const none = await mode("none", { kind: "none" });
    expect(none.namespace).toEqual({ kind: "new" });
    expect(none.links.map(({ purpose }) => purpose)).toEqual(["bring the container's loopback up"]);
    const shared = await mode("shared", { kind: "container", id: web.id, pid: web.network.pid });
    expect(shared.namespace).toEqual({ kind: "path", path: web.network.path });
    expect(shared.files?.hosts).toBe(`${host.directory}/web/hosts`);
    const nobody = mode("lost", { kind: "container", id: "f".repeat(64), pid: 1 });
    expect(nobody).rejects.toThrow("it is not running");
  });

  test("a container's interface has IPv6 switched off", async () => {
    await using host = await Host.start();
    await using sandbox = await host.networks.prepare(await host.request("one", []));
    expect(sandbox.sysctls).toEqual({
      "net.ipv6.conf.default.disable_ipv6": "1",
      "net.ipv6.conf.eth0.disable_ipv6": "1",
    });
    expect(await command("ip", "-6", "address", "show", "dev", "bunker0")).toBe("");
  });
});
