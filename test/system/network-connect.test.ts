import { afterAll, beforeAll, expect, test } from "bun:test";
import { statSync } from "node:fs";
import type { EndpointRequest, NetworkRequest } from "#network";
import { DummyNetworks } from "../fakes/dummy-network.ts";
import { describeInOwnNetwork } from "../fixtures/describe-in-own-network.ts";
import { Host, NOTHING_ASKED, port, running, type Started } from "../fixtures/network-host.ts";
import { makeNeighbour } from "../fixtures/network-neighbour.ts";
import type { OtherNetwork } from "../fixtures/own-network.ts";

const request = (name: string, subnet: string, more: Partial<NetworkRequest> = {}): NetworkRequest => ({
  name,
  driver: "dummy",
  options: {},
  labels: {},
  isInternal: false,
  isAttachable: false,
  isIpv4: true,
  isIpv6: false,
  ipam: {
    driver: "",
    options: {},
    pools: [{ family: 4, subnet, gateway: "", range: "", auxiliary: {} }],
  },
  ...more,
});
const asked = (network: string, more: Partial<EndpointRequest> = {}): EndpointRequest => ({
  ...NOTHING_ASKED,
  network,
  ...more,
});

describeInOwnNetwork(import.meta.path, () => {
  let neighbour: OtherNetwork;

  beforeAll(async () => {
    neighbour = await makeNeighbour();
  });

  afterAll(async () => neighbour[Symbol.asyncDispose]());

  /** Links with their addresses, and routes, as the container sees them; and its hosts file. */
  async function seen(host: Host, { network, id }: Started) {
    const addresses = await network.run("ip", "-brief", "address");
    const routes = await network.run("ip", "route");
    const ipv6 = await network.run("ip", "-6", "route");
    const hosts = await Bun.file(`${host.directory}/${id.replace(/0+$/, "")}/hosts`).text();
    return { addresses: addresses.replace(/@\w+/g, ""), routes, ipv6, hosts };
  }

  const holderOf = (web: Started) => {
    const holder = running(web).get(web.id);
    if (holder === undefined) throw new Error("It does not run");
    return holder;
  };

  test("networks of one's own get subnets that nothing has, and give them back", async () => {
    const dummies = new DummyNetworks();
    await using host = await Host.start({}, [dummies.kind]);
    const free = (name: string) => ({ ...request(name, ""), ipam: { driver: "", options: {}, pools: [] } });
    const subnetOf = async (name: string) =>
      (await host.networks.create(free(name))).network.ipam.pools[0]?.subnet;
    expect([await subnetOf("one"), await subnetOf("two")]).toEqual(["172.18.0.0/16", "172.19.0.0/16"]);
    await host.networks.remove("one");
    expect(await subnetOf("three")).toBe("172.20.0.0/16");
    host.crash();
    await host.open(new Map());
    expect(host.networks.list().map(({ name }) => name)).toEqual(["bridge", "host", "none", "two", "three"]);
    expect(await subnetOf("four")).toBe("172.21.0.0/16");
    expect(host.networks.create(request("five", "172.19.4.0/24"))).rejects.toThrow(
      "Pool overlaps with other one on this address space: 172.19.4.0/24 and 172.19.0.0/16 of network two",
    );
    expect(host.networks.create(free("two"))).rejects.toThrow("network with name two already exists");
    expect(host.networks.create(free("host"))).rejects.toThrow("predefined host network");
    expect(host.networks.create(free("a b"))).rejects.toThrow("invalid network name");
    expect(host.networks.create({ ...free("x"), driver: "nothing" })).rejects.toThrow("plugin not found");
    expect(host.networks.create({ ...free("x"), isIpv4: false })).rejects.toThrow("must be enabled");
    const both = await host.networks.create({ ...free("both"), isIpv6: true });
    expect(both.network.ipam.pools[1]?.subnet).toMatch(/^fd[0-9a-f]{2}:.*::\/64$/);
    expect(both.network.ipam.pools[1]?.gateway).toEndWith("::1");
  });

  test("what runs joins and leaves, and the way out, the files and the ports follow", async () => {
    const dummies = new DummyNetworks();
    await using host = await Host.start({}, [dummies.kind]);
    const pools = [
      {
        family: 4,
        subnet: "10.7.0.0/24",
        gateway: "10.7.0.9",
        range: "10.7.0.64/26",
        auxiliary: { router: "10.7.0.64" },
      },
      { family: 6, subnet: "fd07::/64", gateway: "", range: "", auxiliary: {} },
    ] as const;
    await host.networks.create({
      ...request("front", ""),
      isIpv6: true,
      ipam: { driver: "default", options: {}, pools },
    });
    await using web = await host.start("web", [port(80, 8020)]);
    const before = await seen(host, web);
    const file = `${host.directory}/web/hosts`;
    const { ino } = statSync(file);
    const endpoint = await host.networks.connect(
      web.id,
      asked("front", { gatewayPriority: 1, aliases: ["www"], linkLocalAddresses: ["169.254.7.7"] }),
      holderOf(web),
    );
    expect(endpoint).toMatchObject({
      address: "10.7.0.65",
      prefixLength: 24,
      gateway: "10.7.0.9",
      ipv6Address: "fd07::2",
      macAddress: "02:42:0a:07:00:41",
      interfaceName: "eth1",
      dnsNames: ["web", "www", "web000000000"],
    });
    const joined = await seen(host, web);
    expect(joined.addresses).toContain("10.7.0.65/24");
    expect(joined.addresses).toContain("169.254.7.7/16");
    expect(joined.addresses).toContain("fd07::2/64");
    expect(joined.routes).toContain("default via 10.7.0.9 dev eth1");
    expect(joined.routes).not.toContain("dev eth0 proto boot");
    expect(joined.ipv6).toContain("default via fd07::1 dev eth1");
    expect(joined.hosts).toBe(`${before.hosts}10.7.0.65\tweb\nfd07::2\tweb\n`);
    expect(statSync(file).ino).toBe(ino);
    expect(await Bun.file(`${host.directory}/web/resolv.conf`).text()).toContain("nameserver 127.0.0.11");
    expect(dummies.told.slice(-2)).toEqual(["join front", expect.stringMatching(/^open front 8020/)]);
    // No longer the bridge's.
    expect(host.networks.publishedPorts()).toEqual([]);
    expect(host.networks.connect(web.id, asked("front"), holderOf(web))).rejects.toThrow("already exists");
    expect(host.networks.remove("front")).rejects.toThrow('has active endpoints (name:"web"');

    await host.networks.disconnect(web.id, "front", holderOf(web));
    const left = await seen(host, web);
    expect({ ...left, ipv6: "" }).toEqual({ ...before, ipv6: "" });
    // Of a later daemon nobody would answer it there.
    expect(await Bun.file(`${host.directory}/web/resolv.conf`).text()).not.toContain("127.0.0.11");
    expect(dummies.told.slice(-2)).toEqual(["shut front", "close front"]);
    expect(new Set(host.networks.publishedPorts().map(({ networkName }) => networkName))).toEqual(
      new Set(["bridge"]),
    );
    await host.networks.remove("front");
  });

  test.each(["join", "open"])("when %s fails all is as before, and it can be tried again", async (verb) => {
    const dummies = new DummyNetworks();
    await using host = await Host.start({}, [dummies.kind]);
    await host.networks.create(request("front", "10.7.0.0/24"));
    await using web = await host.start("web", [port(80, 8021)]);
    const before = await seen(host, web);
    dummies.before = (now) => {
      if (now === verb) throw new Error(`no ${verb}`);
    };
    const join = () =>
      host.networks.connect(
        web.id,
        asked("front", { gatewayPriority: 1, address: "10.7.0.5" }),
        holderOf(web),
      );
    expect(await join().catch((error: Error) => error.message)).toContain(`no ${verb}`);
    expect(await seen(host, web)).toEqual(before);
    expect(host.networks.endpoints(web.id).endpoints.length).toBe(1);
    expect(host.networks.endpoints(web.id).ports.length).toBeGreaterThan(0);
    dummies.before = (now) => {
      if ([verb, "shut", "close"].includes(now)) throw new Error(`no ${now}`);
    };
    expect(await join().catch((error: Error) => error.message)).toBe(`no ${verb}`);
    dummies.before = () => {};
    expect((await join()).address).toBe("10.7.0.5");
  });

  test("a link in the way is a failure that leaves nothing", async () => {
    const dummies = new DummyNetworks();
    await using host = await Host.start({}, [dummies.kind]);
    await host.networks.create(request("front", "10.7.0.0/24"));
    await using web = await host.start("web");
    await web.network.run("ip", "link", "add", "eth1", "type", "bridge");
    const join = () => host.networks.connect(web.id, asked("front"), holderOf(web));
    expect(await join().catch((error: Error) => error.message)).toContain("make eth1");
    expect(host.networks.endpoints(web.id).endpoints.length).toBe(1);
  });

  test("addresses that are in use, outside, or another container's are refused", async () => {
    const dummies = new DummyNetworks();
    await using host = await Host.start({}, [dummies.kind]);
    await host.networks.create(request("front", "10.7.0.0/24"));
    await using one = await host.start("one");
    await using two = await host.start("two");
    const join = (who: Started, address: string) =>
      host.networks.connect(who.id, asked("front", { address }), holderOf(who));
    await join(one, "10.7.0.5");
    expect(join(two, "10.7.0.5")).rejects.toThrow("Address already in use");
    expect(join(two, "10.7.0.1")).rejects.toThrow("Address already in use");
    expect(join(two, "10.8.0.1")).rejects.toThrow("no configured subnet contains IP address 10.8.0.1");
    const gone = { pid: holderOf(two).pid, startTicks: "1" };
    expect(host.networks.connect(two.id, asked("front"), gone)).rejects.toThrow("not running any more");
    await host.networks.disconnect(one.id, "front");
    expect((await join(two, "10.7.0.5")).address).toBe("10.7.0.5");
  });

  test("the default route goes by priority, then by name, among several from the start", async () => {
    const dummies = new DummyNetworks();
    await using host = await Host.start({}, [dummies.kind]);
    await host.networks.create(request("alpha", "10.1.0.0/24"));
    await host.networks.create(request("beta", "10.2.0.0/24"));
    await host.networks.create(request("inner", "10.3.0.0/24", { isInternal: true }));
    const endpoints = [
      asked("inner", { gatewayPriority: 9 }),
      asked("beta", { driverOptions: { "com.docker.network.endpoint.ifname": "lan0" } }),
      asked("alpha"),
    ];
    await using web = await host.start("web", [], { endpoints });
    expect(web.sandbox.endpoints.map(({ interfaceName }) => interfaceName)).toEqual(["eth0", "lan0", "eth1"]);
    expect((await seen(host, web)).routes).toContain("default via 10.1.0.1 dev eth1");
    await host.networks.disconnect(web.id, "alpha", holderOf(web));
    expect((await seen(host, web)).routes).toContain("default via 10.2.0.1 dev lan0");
    await host.networks.disconnect(web.id, "beta", holderOf(web));
    expect((await seen(host, web)).routes).not.toContain("default");
    await host.networks.connect(web.id, asked("alpha"), holderOf(web));
    expect((await seen(host, web)).routes).toContain("default via 10.1.0.1 dev eth1");
  });

  test("what other hosts make and remove comes and goes, once no container here is on it", async () => {
    const dummies = new DummyNetworks();
    await using host = await Host.start({}, [dummies.kind]);
    const { network } = await host.networks.create(request("shared", "10.9.0.0/24"));
    await host.networks.remove("shared");
    await dummies.catalog.learn(network);
    await using web = await host.start("web");
    await host.networks.connect(web.id, asked("shared"), holderOf(web));
    await dummies.catalog.learn({ ...network, id: "f".repeat(64) });
    expect(host.networks.find("shared")?.id).toBe(network.id);
    await dummies.catalog.forget(network.id);
    expect(host.networks.find("shared")?.id).toBe(network.id);
    await host.networks.disconnect(web.id, "shared", holderOf(web));
    expect(host.networks.find("shared")).toBeUndefined();
    expect(dummies.told.at(-1)).toBe("tearDown shared");
    await dummies.catalog.forget(network.id);
  });

  test("a daemon that is killed while it makes, removes or connects leaves nothing for ever", async () => {
    const dummies = new DummyNetworks();
    await using host = await Host.start({}, [dummies.kind]);
    await host.networks.create(request("front", "10.7.0.0/24"));
    await using web = await host.start("web", [port(80, 8022)]);
    const never = Promise.withResolvers<void>();
    const reached = async (verb: string, work: () => Promise<unknown>) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      dummies.before = (now) => {
        if (now !== verb) return;
        resolve();
        return never.promise;
      };
      void work().catch(() => undefined);
      await promise;
      dummies.before = () => {};
      host.crash();
      await host.open(running(web));
    };
    await reached("setUp", () => host.networks.create(request("half", "10.8.0.0/24")));
    expect(host.networks.find("half")).toBeUndefined();
    expect(dummies.told).toContain("tearDown half");
    await host.networks.create(request("half", "10.8.0.0/24"));
    await reached("tearDown", () => host.networks.remove("half"));
    expect(host.networks.find("half")).toBeUndefined();
    await reached("join", () => host.networks.connect(web.id, asked("front"), holderOf(web)));
    expect(host.networks.endpoints(web.id).endpoints.map((one) => one.networkName)).toEqual(["bridge"]);
    const first = asked("front", { gatewayPriority: 1 });
    expect((await host.networks.connect(web.id, first, holderOf(web))).interfaceName).toBe("eth1");
    await host.networks.disconnect(web.id, "front", holderOf(web));
    await reached("open", () => host.networks.connect(web.id, first, holderOf(web)));
    const { endpoints, ports } = host.networks.endpoints(web.id);
    expect(endpoints.map((one) => one.networkName)).toEqual(["bridge", "front"]);
    // Once, and there.
    expect(new Set(ports.map(({ hostPort }) => hostPort))).toEqual(new Set([8022]));
    expect(host.networks.publishedPorts()).toEqual([]);
  });
});
