import { afterAll, beforeAll, expect, test } from "bun:test";
import { describeInOwnNetwork } from "../fixtures/describe-in-own-network.ts";
import { Host, port, rules, running, type Started } from "../fixtures/network-host.ts";
import { makeNeighbour } from "../fixtures/network-neighbour.ts";
import { call, command, type OtherNetwork } from "../fixtures/own-network.ts";

describeInOwnNetwork(import.meta.path, () => {
  let neighbour: OtherNetwork;

  beforeAll(async () => {
    neighbour = await makeNeighbour();
  });

  afterAll(async () => neighbour[Symbol.asyncDispose]());

  test("a container has its address, route, loopback and name files, and reaches a neighbour of the host", async () => {
    await using host = await Host.start();
    await using one = await host.start("one");
    expect(one.address).toBe("172.17.0.2");
    const shown = await one.network.run("ip", "-o", "address");
    expect(shown).toContain("inet 172.17.0.2/16 brd 172.17.255.255");
    expect(shown).toContain("inet 127.0.0.1/8");
    expect(await one.network.run("ip", "route")).toContain("default via 172.17.0.1 dev eth0");
    const link = await one.network.run("ip", "link", "show", "eth0");
    expect(link).toContain("02:42:ac:11:00:02");
    expect(await Bun.file(`${host.directory}/one/hosts`).text()).toContain("172.17.0.2\tone\n");
    await neighbour.serve("neighbour", "tcp", "10.9.0.2", 7000);
    expect(await one.network.call("tcp", "10.9.0.2", 7000)).toBe("neighbour 10.9.0.1 5");
  });

  test("a published port is reached from loopback, own address, neighbour, other containers and itself", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    await using other = await host.start("other");
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    expect(web.sandbox.ports.map(({ hostAddress, hostPort }) => [hostAddress, hostPort])).toEqual([
      ["0.0.0.0", 8020],
      ["::", 8020],
    ]);
    expect(await call("tcp", "127.0.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.1 5");
    expect(await call("tcp", "::1", 8020)).toBe("web 172.17.0.1 5");
    expect(await call("tcp", "fd09::1", 8020)).toBe("web 172.17.0.1 5");
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.2 5");
    expect(await neighbour.call("tcp", "fd09::1", 8020)).toBe("web 172.17.0.1 5");
    expect(await other.network.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await other.network.call("tcp", "172.17.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await web.network.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await other.network.call("tcp", web.address, 80)).toBe(`web ${other.address} 5`);
  });

  test("nothing but what is published is reached from outside, whatever the policy and however it is routed", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020, { hostAddress: "127.0.0.1" }), port(81, 8021)]);
    for (const inner of [80, 81, 82]) await web.network.serve("web", "tcp", "0.0.0.0", inner);
    expect(await call("tcp", "127.0.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await neighbour.call("tcp", "10.9.0.1", 8021)).toBe("web 10.9.0.2 5");
    // Published on the loopback alone: neither by the host's address nor by routing to the container (D1).
    expect(await neighbour.callInVain("tcp", "10.9.0.1", 8020)).toStartWith("none");
    for (const inner of [80, 81, 82])
      expect(await neighbour.callInVain("tcp", web.address, inner)).toBe("none: silence");
    // A martian: the neighbour takes 127.0.0.1 for an address beyond the host.
    await neighbour.run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
    await neighbour.run(
      "ip",
      "route",
      "add",
      "127.0.0.1/32",
      "via",
      "10.9.0.1",
      "dev",
      "eth0",
      "table",
      "99",
    );
    await neighbour.run("ip", "rule", "add", "to", "127.0.0.1", "lookup", "99", "priority", "0");
    await neighbour.run("ip", "rule", "add", "lookup", "local", "priority", "1");
    await neighbour.run("ip", "rule", "del", "lookup", "local", "priority", "0");
    expect(await neighbour.callInVain("tcp", "127.0.0.1", 8020)).toBe("none: silence");
    await neighbour.run("ip", "rule", "add", "lookup", "local", "priority", "0");
    await neighbour.run("ip", "rule", "del", "to", "127.0.0.1", "lookup", "99");
  });

  test("services on the host's loopback are out of a container's reach", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    using server = Bun.listen({
      hostname: "127.0.0.1",
      port: 7070,
      socket: { data() {} },
    }) as unknown as Disposable;
    expect(await Bun.file("/proc/sys/net/ipv4/conf/bunker0/route_localnet").text()).toBe("1\n");
    await web.network.run("sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1");
    await web.network.run("ip", "rule", "add", "lookup", "local", "priority", "1");
    await web.network.run("ip", "rule", "del", "lookup", "local", "priority", "0");
    await web.network.run("ip", "rule", "add", "to", "127.0.0.1", "lookup", "main", "priority", "0");
    expect(await web.network.callInVain("tcp", "127.0.0.1", 7070)).toBe("none: silence");
    void server;
  });

  test("UDP is carried by both families, and a flow from before does not miss the container", async () => {
    await using host = await Host.start();
    expect(await neighbour.callInVain("udp", "10.9.0.1", 8053)).toStartWith("none");
    {
      await using first = await host.start("first", [port(53, 8053, { protocol: "udp" })]);
      await first.network.serve("first", "udp", "0.0.0.0", 53);
      expect(await neighbour.call("udp", "10.9.0.1", 8053)).toBe("first 10.9.0.2 5");
      expect(await neighbour.call("udp", "fd09::1", 8053)).toBe("first 172.17.0.1 5");
      expect(await call("udp", "127.0.0.1", 8053)).toBe("first 172.17.0.1 5");
      expect(await call("udp", "::1", 8053)).toBe("first 172.17.0.1 5");
    }
    await using second = await host.start("second", [port(53, 8053, { protocol: "udp" })]);
    await second.network.serve("second", "udp", "0.0.0.0", 53);
    expect(await neighbour.call("udp", "10.9.0.1", 8053)).toBe("second 10.9.0.2 5");
  });

  for (const filtered of ["0", "1"])
    test(`without icc containers reach one another's published ports only, bridge-nf-call-iptables=${filtered}`, async () => {
      await command("sysctl", "-qw", `net.bridge.bridge-nf-call-iptables=${filtered}`);
      await using host = await Host.start({ icc: false });
      await using web = await host.start("web", [port(80, 8020)]);
      await using other = await host.start("other");
      for (const inner of [80, 81]) await web.network.serve("web", "tcp", "0.0.0.0", inner);
      expect(await other.network.callInVain("tcp", web.address, 81)).toStartWith("none: ");
      expect(await other.network.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
    });

  test("without icc a link leads to what the other exposes, and follows it, and goes with it", async () => {
    await command("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1");
    await using host = await Host.start({ icc: false });
    const serve = async (web: Started) => {
      for (const inner of [80, 81]) await web.network.serve("web", "tcp", "0.0.0.0", inner);
    };
    const hostOf = (address: string) => ({
      address,
      names: ["web"],
      ports: [{ protocol: "tcp" as const, number: 80 }],
    });
    const first = await host.start("first");
    await serve(first);
    await using parent = await host.start("parent", [], { linkedHosts: [hostOf(first.address)] });
    await using stranger = await host.start("stranger");
    expect(await parent.network.call("tcp", first.address, 80)).toBe(`web ${parent.address} 5`);
    expect(await parent.network.callInVain("tcp", first.address, 81)).toStartWith("none: ");
    expect(await stranger.network.callInVain("tcp", first.address, 80)).toStartWith("none: ");
    const held = (await rules()).filter((rule) => rule.includes(`-d ${first.address}/32`));
    expect(held).toHaveLength(1);
    await first[Symbol.asyncDispose]();
    expect((await rules()).filter((rule) => rule.includes(`-d ${first.address}/32`))).toEqual([]);
    await using next = await host.start("next");
    await serve(next);
    await host.networks.relink(parent.id, [hostOf(next.address)]);
    expect(await parent.network.call("tcp", next.address, 80)).toBe(`web ${parent.address} 5`);
    const before = await rules();
    host.crash();
    await host.open(running(parent, next, stranger));
    expect((await rules()).sort()).toEqual(before.sort());
  });

  for (const filtered of ["0", "1"])
    test(`a hairpin works with net.bridge.bridge-nf-call-iptables=${filtered}`, async () => {
      await command("sysctl", "-qw", `net.bridge.bridge-nf-call-iptables=${filtered}`);
      await using host = await Host.start();
      await using web = await host.start("web", [port(80, 8020)]);
      await using other = await host.start("other");
      await web.network.serve("web", "tcp", "0.0.0.0", 80);
      expect(await other.network.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
      expect(await web.network.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
      expect(await other.network.call("tcp", web.address, 80)).toBe(`web ${other.address} 5`);
    });

  test("a FORWARD policy of DROP hinders neither published ports nor the way out", async () => {
    await command("iptables", "-P", "FORWARD", "DROP");
    await using undo = new AsyncDisposableStack();
    undo.defer(async () => {
      await command("iptables", "-P", "FORWARD", "ACCEPT");
    });
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    await neighbour.serve("neighbour", "tcp", "10.9.0.2", 7001);
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.2 5");
    expect(await web.network.call("tcp", "10.9.0.2", 7001)).toBe("neighbour 10.9.0.1 5");
  });

  test("two daemons side by side keep to their own rules, and their containers apart", async () => {
    await using one = await Host.start();
    await using two = await Host.start({ name: "longest-name-15" });
    await using web = await one.start("web", [port(80, 8020)]);
    await using shop = await two.start("shop", [port(80, 8030)]);
    expect(shop.address).toBe("172.18.0.2");
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    await shop.network.serve("shop", "tcp", "0.0.0.0", 80);
    expect(await shop.network.callInVain("tcp", web.address, 80)).toBe("none: silence");
    expect(await web.network.callInVain("tcp", shop.address, 80)).toBe("none: silence");
    expect(await web.network.call("tcp", "10.9.0.1", 8030)).toBe("shop 172.18.0.1 5");
    const before = (await rules()).filter((rule) => !rule.includes("longest-name-15"));
    await two.networks.restore(running(shop));
    expect((await rules()).filter((rule) => !rule.includes("longest-name-15"))).toEqual(before);
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.2 5");
    expect(await neighbour.call("tcp", "10.9.0.1", 8030)).toBe("shop 10.9.0.2 5");
  });
});
