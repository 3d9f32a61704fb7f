import { afterAll, beforeAll, expect, test } from "bun:test";
import type { PluginFault } from "../fakes/plugin.ts";
import { until } from "../fakes/until.ts";
import { describeInOwnNetwork } from "../fixtures/describe-in-own-network.ts";
import { port, running } from "../fixtures/network-host.ts";
import { makeNeighbour } from "../fixtures/network-neighbour.ts";
import { call, command, type OtherNetwork } from "../fixtures/own-network.ts";
import { asked, holderOf, NO_POOLS, on, openPluginHost, POOL, request } from "../fixtures/plugin-host.ts";

const linkNames = async () =>
  (await command("ip", "-brief", "link")).split("\n").map((line) => line.split(/[ @]/)[0] ?? "");

describeInOwnNetwork(import.meta.path, () => {
  let neighbour: OtherNetwork;

  beforeAll(async () => {
    neighbour = await makeNeighbour();
  });

  afterAll(async () => neighbour[Symbol.asyncDispose]());

  test("a plugin's network has its links, addresses and routes in containers, and can be reached", async () => {
    await using all = await openPluginHost();
    const { host, networks, wire, left } = all;
    const before = await linkNames();
    const options = { speed: "10" };
    const { network } = await host.networks.create(request("far", { options }));
    expect(network).toMatchObject({ driver: "wire", scope: "local" });
    expect(wire.calls("NetworkDriver.CreateNetwork")).toEqual([
      {
        NetworkID: network.id,
        Options: {
          "com.docker.network.generic": options,
          "com.docker.network.enable_ipv4": true,
          "com.docker.network.enable_ipv6": false,
        },
        IPv4Data: [{ Pool: "10.70.0.0/24", Gateway: "10.70.0.1/24" }],
        IPv6Data: [],
      },
    ]);
    networks.join = {
      StaticRoutes: [
        { Destination: "10.99.0.0/16", RouteType: 0, NextHop: "10.71.0.9" },
        { Destination: "10.71.0.0/24", RouteType: 1, NextHop: "" },
      ],
    };
    {
      await using one = await host.start("one", [], on("far"));
      await using two = await host.start("two", [], {
        endpoints: [asked("far", { macAddress: "02:00:00:00:00:07" })],
      });
      expect(one.sandbox.endpoints[0]).toMatchObject({
        address: "10.70.0.2",
        gateway: "10.70.0.1",
        interfaceName: "eth0",
      });
      const shown = await one.network.run("ip", "-brief", "link", "show", "eth0");
      expect(shown).toContain(one.sandbox.endpoints[0]?.macAddress ?? "no address");
      expect(await two.network.run("ip", "-brief", "link")).toContain("02:00:00:00:00:07");
      expect((await one.network.run("ip", "route")).replaceAll(/ +\n/g, "\n")).toBe(
        "default via 10.70.0.1 dev eth0\n10.70.0.0/24 dev eth0 proto kernel scope link src 10.70.0.2\n10.71.0.0/24 dev eth0 scope link\n10.99.0.0/16 via 10.71.0.9 dev eth0\n",
      );
      await two.network.serve("two", "tcp", two.address, 80);
      expect(await call("tcp", two.address, 80)).toContain("two");
      await expect(host.networks.remove("far")).rejects.toThrow("has active endpoints");
    }
    expect(left()).toEqual([1, 0, 0]);
    await host.networks.remove("far");
    expect(left()).toEqual([0, 0, 0]);
    expect(await linkNames()).toEqual(before);
  });

  test("with both families it has the routes of both, and on an internal network none", async () => {
    await using all = await openPluginHost();
    const { host, networks } = all;
    const v6 = { ...POOL, family: 6 as const, subnet: "fd70::/64" };
    const ipam = { driver: "", options: {}, pools: [{ ...POOL, subnet: "10.70.0.0/24" }, v6] };
    await host.networks.create(request("both", { isIpv6: true, ipam }));
    await host.networks.create(request("shut", { isInternal: true, ipam: NO_POOLS }));
    networks.join = { GatewayIPv6: "fd70::1" };
    await using one = await host.start("one", [], on("both"));
    expect(one.sandbox.endpoints[0]).toMatchObject({ ipv6Address: "fd70::2", ipv6Gateway: "fd70::1" });
    expect(await one.network.run("ip", "-6", "route")).toContain("default via fd70::1 dev eth0");
    networks.join = {};
    await using two = await host.start("two", [], on("shut"));
    expect(await two.network.run("ip", "route")).not.toContain("default");
  });

  test("a container that runs comes to it and leaves it", async () => {
    await using all = await openPluginHost();
    const { host, left } = all;
    await host.networks.create(request("far"));
    await using one = await host.start("one");
    const endpoint = await host.networks.connect(one.id, asked("far"), holderOf(one));
    expect(endpoint.address).toBe("10.70.0.2");
    expect(await one.network.run("ip", "-brief", "address", "show", "eth1")).toContain("10.70.0.2/24");
    expect(left()).toEqual([1, 1, 1]);
    await host.networks.disconnect(one.id, "far", holderOf(one));
    expect(await one.network.run("ip", "-brief", "link")).not.toContain("eth1");
    expect(left()).toEqual([1, 0, 0]);
  });

  test("at a start of the daemon nothing is made again, and what runs can still leave", async () => {
    await using all = await openPluginHost();
    const { host, wire, left } = all;
    await host.networks.create(request("far"));
    const one = await host.start("one", [], on("far"));
    await using gone = await host.start("gone", [], on("far"));
    host.crash();
    const before = wire.asked.length;
    await host.open(running(one, gone));
    expect(wire.asked.length).toBe(before);
    await using two = await host.start("two", [], on("far"));
    expect(two.address).toBe("10.70.0.4");
    await one[Symbol.asyncDispose]();
    expect(left()).toEqual([1, 2, 2]);
  });

  test("a container that ended while there was no daemon leaves nothing with its plugins", async () => {
    await using all = await openPluginHost();
    const { host, addresses, left } = all;
    await host.networks.create(request("far", { ipam: { ...NO_POOLS, driver: "book" } }));
    const { network } = await host.start("one", [], on("far"));
    host.crash();
    await network[Symbol.asyncDispose]();
    await host.open(new Map());
    const given = () => addresses.pools.get("here/10.88.0.0/24")?.size;
    await until(() => [...left(), given()].join() === "1,0,0,1");
    await using two = await host.start("two", [], on("far"));
    expect(two.address).toBe("10.88.0.2");
  });

  test("one that hangs keeps no other network waiting", async () => {
    await using all = await openPluginHost();
    const { host, wire } = all;
    wire.faults.set("NetworkDriver.CreateNetwork", { kind: "hang" });
    const hanging = host.networks.create(request("far")).then(
      () => "made",
      () => "failed",
    );
    await until(() => wire.calls("NetworkDriver.CreateNetwork").length > 0);
    const first = Promise.race([
      hanging,
      host.networks.create(request("near", { driver: "bridge", ipam: NO_POOLS })),
    ]);
    expect(await first).toMatchObject({ network: { name: "near" } });
    expect(await hanging).toBe("failed");
    await host.networks.remove("near");
  });

  test("published ports are the plugin's, or refused when it has none", async () => {
    await using all = await openPluginHost();
    const { host, wire, left } = all;
    await host.networks.create(request("far"));
    {
      await using _one = await host.start("one", [port(80, 8090)], on("far"));
      const [told] = wire.calls("NetworkDriver.ProgramExternalConnectivity");
      const ours = { Proto: 6, Port: 80, HostPort: 8090, HostPortEnd: 8090 };
      const options = told?.Options as Record<string, readonly object[]>;
      expect(options["com.docker.network.portmap"]?.[0]).toEqual({ ...ours, HostIP: "0.0.0.0" });
      expect(options["com.docker.network.endpoint.exposedports"]).toEqual([{ Proto: 6, Port: 80 }]);
    }
    expect(wire.calls("NetworkDriver.RevokeExternalConnectivity").length).toBe(1);
    delete wire.answers["NetworkDriver.ProgramExternalConnectivity"];
    const sandbox = await host.networks.prepare(
      await host.request("two", [port(80, 8091)], { endpoints: [asked("far")] }),
    );
    await expect(sandbox.open()).rejects.toThrow(/Cannot publish ports on network far: the plugin wire/);
    await sandbox[Symbol.asyncDispose]();
    expect(left()).toEqual([1, 0, 0]);
  });

  test("without addresses of its own the network has those that the plugin chose", async () => {
    await using all = await openPluginHost();
    const { host, wire } = all;
    await host.networks.create(request("far", { ipam: { ...NO_POOLS, driver: "null" } }));
    expect(wire.calls("NetworkDriver.CreateNetwork")[0]?.IPv4Data).toEqual([
      { AddressSpace: "null", Pool: "0.0.0.0/0" },
    ]);
    const make = wire.answers["NetworkDriver.CreateEndpoint"];
    wire.answers["NetworkDriver.CreateEndpoint"] = async (body) => {
      await make?.(body);
      return { Interface: { Address: "10.5.0.7/24", MacAddress: "02:11:22:33:44:55" } };
    };
    await using one = await host.start("one", [], on("far"));
    expect(one.sandbox.endpoints[0]).toMatchObject({ address: "10.5.0.7", macAddress: "02:11:22:33:44:55" });
    const shown = await one.network.run("ip", "address", "show", "eth0");
    expect(shown).toContain("10.5.0.7/24");
    expect(shown).toContain("02:11:22:33:44:55");
  });

  test.each<[string, string, PluginFault, RegExp]>([
    [
      "hangs",
      "CreateEndpoint",
      { kind: "hang" },
      /CreateEndpoint: the plugin wire .* no answer within 1 sec/,
    ],
    ["dies", "CreateEndpoint", { kind: "die" }, /CreateEndpoint: the plugin wire .* connection ended/],
    ["dies", "Join", { kind: "die" }, /Join: the plugin wire .* connection ended/],
    ["refuses", "CreateEndpoint", { kind: "refuse", reason: "full" }, /CreateEndpoint: full \(plugin wire\)/],
    ["refuses", "Join", { kind: "refuse", reason: "full" }, /NetworkDriver\.Join: full \(plugin wire\)/],
    ["babbles", "Join", { kind: "text", text: "{" }, /Join: the plugin wire .* it is not JSON/],
  ])("a plugin that %s at %s is named, and nothing is left", async (_what, call, fault, words) => {
    await using all = await openPluginHost();
    const { host, wire, networks } = all;
    await host.networks.create(request("far"));
    const before = await linkNames();
    wire.faults.set(`NetworkDriver.${call}`, fault);
    await expect(host.start("one", [], on("far"))).rejects.toThrow(words);
    expect(networks.endpoints.size).toBe(0);
    expect(await linkNames()).toEqual(before);
    wire.faults.clear();
    networks.joined.clear();
    await using two = await host.start("two", [], on("far"));
    expect(two.address).toMatch(/^10\.70\.0\./);
  });

  test.each<[string, object, RegExp]>([
    ["a link that is not there", { InterfaceName: { SrcName: "none7" } }, /there is no link none7/],
    [
      "the loopback",
      { InterfaceName: { SrcName: "lo" } },
      /lo is not its to give: it is the host's loopback/,
    ],
    ["a bridge", { InterfaceName: { SrcName: "bunker0" } }, /it is a bridge of this host/],
    ["the host's way out", { InterfaceName: { SrcName: "out0" } }, /one with addresses of this host/],
    ["no link", { InterfaceName: null }, /it names no link/],
    ["a path", { InterfaceName: { SrcName: "../x" } }, /no link can be called/],
    ["a wrong name", { InterfaceName: { DstPrefix: "a/b" } }, /it names no link/],
    ["a gateway that is none", { Gateway: "here" }, /"here" is no IPv4 gateway/],
    [
      "a gateway far away",
      { Gateway: "10.9.9.9" },
      /the gateway 10\.9\.9\.9 is no neighbour of 10\.70\.0\.2/,
    ],
    ["a route to nowhere", { StaticRoutes: [{ Destination: "all" }] }, /"all" is no destination/],
    [
      "a route without a hop",
      { StaticRoutes: [{ Destination: "10.0.0.0/8", RouteType: 0 }] },
      /"" is no next hop for 10\.0\.0\.0\/8/,
    ],
  ])("a plugin that gives %s is not believed", async (_what, join, words) => {
    await using all = await openPluginHost();
    const { host, networks, left } = all;
    await host.networks.create(request("far"));
    const before = await linkNames();
    networks.join = join;
    await expect(host.start("one", [], on("far"))).rejects.toThrow(words);
    await expect(host.start("one", [], on("far"))).rejects.toThrow(/NetworkDriver\.Join: the plugin wire/);
    expect(left()).toEqual([1, 0, 0]);
    expect(await linkNames()).toEqual(before);
  });

  test("the link that one container was given is not another's", async () => {
    await using all = await openPluginHost();
    const { host, networks } = all;
    await host.networks.create(request("far"));
    const { containerId, ...rest } = await host.request("one", [], on("far"));
    await using first = await host.networks.prepare({ containerId, ...rest });
    const [link] = first.endpoints;
    networks.join = { InterfaceName: { SrcName: `pc-${link?.endpointId.slice(0, 8)}` } };
    await expect(host.start("two", [], on("far"))).rejects.toThrow(/is another container's already/);
  });

  test("a network that the plugin does not make is not there", async () => {
    await using all = await openPluginHost();
    const { host, wire, left } = all;
    for (const fault of [{ kind: "hang" }, { kind: "die" }, { kind: "refuse", reason: "no" }] as const) {
      wire.faults.set("NetworkDriver.CreateNetwork", fault);
      await expect(host.networks.create(request("far"))).rejects.toThrow(/CreateNetwork: .*wire/);
      expect(host.networks.find("far")).toBeUndefined();
      expect(left()).toEqual([0, 0, 0]);
    }
    wire.faults.clear();
    await host.networks.create(request("far"));
    await expect(host.networks.create(request("x", { driver: "nobody" }))).rejects.toThrow(
      "could not find plugin nobody in v1 plugin registry: plugin not found",
    );
  });

  test("of a plugin that is gone, containers end, and its networks go by force alone", async () => {
    await using all = await openPluginHost();
    const { host, wire, book } = all;
    const ipam = { ...NO_POOLS, driver: "book" };
    const { network } = await host.networks.create(request("far", { ipam }));
    const one = await host.start("one", [], on("far"));
    await wire.stop();
    await book.stop();
    await one[Symbol.asyncDispose]();
    expect(host.networks.members(network.id)).toEqual([]);
    await expect(host.networks.remove("far")).rejects.toThrow(
      "Cannot use the plugin wire as a NetworkDriver",
    );
    expect(host.networks.find("far")?.id).toBe(network.id);
    host.crash();
    await host.open(new Map());
    await expect(host.start("two", [], on("far"))).rejects.toThrow(/book/);
    await host.networks.remove("far", { force: true });
    expect(host.networks.find("far")).toBeUndefined();
    await command("ip", "link", "del", `pb-${network.id.slice(0, 8)}`);
  });
});
