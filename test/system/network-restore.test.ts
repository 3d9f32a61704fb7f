import { afterAll, beforeAll, expect, test } from "bun:test";
import { listLinks, Netlink } from "#host";
import { macvlanNetwork } from "#network";
import { describeInOwnNetwork } from "../fixtures/describe-in-own-network.ts";
import { Host, NOTHING_ASKED, port, rules, running } from "../fixtures/network-host.ts";
import { makeNeighbour } from "../fixtures/network-neighbour.ts";
import { call, callInVain, command, type OtherNetwork } from "../fixtures/own-network.ts";

describeInOwnNetwork(import.meta.path, () => {
  let neighbour: OtherNetwork;

  beforeAll(async () => {
    neighbour = await makeNeighbour();
  });

  afterAll(async () => neighbour[Symbol.asyncDispose]());

  test("rules that were flushed come back with the next change and with restore", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    const before = await rules();
    for (const table of ["nat", "filter", "raw"]) await command("iptables", "-t", table, "-F");
    await host.networks.restore(running(web));
    expect((await rules()).sort()).toEqual(before.sort());
    // At once, rules and chains: one after another they would be back before all of them are gone.
    await command("nft", "flush", "ruleset");
    await using other = await host.start("other", [port(80, 8021)]);
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.2 5");
    expect(other.sandbox.ports[0]?.hostPort).toBe(8021);
  });

  test("a daemon killed and started again finds addresses, ports and relays, and removes what has ended", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    await using gone = await host.start("gone", [port(80, 8021)]);
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    await command("iptables", "-A", "BUNKER-USER", "-s", "10.66.0.0/16", "-j", "DROP");
    const before = (await rules()).filter((rule) => !rule.includes("bunker:bunker0:gone"));
    host.crash();
    await host.open(running(web));
    expect((await rules()).sort()).toEqual(before.sort());
    expect(host.networks.endpoints(web.id).endpoints[0]?.address).toBe("172.17.0.2");
    expect(host.networks.endpoints(gone.id).endpoints).toEqual([]);
    using netlink = new Netlink();
    expect(listLinks(netlink).filter(({ name }) => name.startsWith("veth"))).toHaveLength(1);
    expect(await call("tcp", "::1", 8020)).toBe("web 172.17.0.1 5");
    expect(await callInVain("tcp", "::1", 8021)).toStartWith("none");
    await using next = await host.start("next", [port(80, 8021)]);
    expect(next.address).not.toBe("172.17.0.2");
    await command("iptables", "-F", "BUNKER-USER");
  });

  test("a bridge that went away under running containers is made again with them on it", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    await command("ip", "link", "delete", "bunker0");
    host.crash();
    await host.open(running(web));
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.2 5");
  });

  test("a network whose parent was missing at the daemon's start is there once the parent is", async () => {
    const makeParent = () => command("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1");
    await makeParent();
    await using host = await Host.start({}, [macvlanNetwork]);
    const { network } = await host.networks.create({
      name: "lan",
      driver: "macvlan",
      options: { parent: "up0" },
      labels: {},
      isInternal: false,
      isAttachable: false,
      ipam: {
        driver: "",
        options: {},
        pools: [{ family: 4, subnet: "10.77.0.0/24", gateway: "", range: "", auxiliary: {} }],
      },
    });
    host.crash();
    await command("ip", "link", "delete", "up0");
    await host.open(new Map());
    const endpoints = [{ ...NOTHING_ASKED, network: "lan" }];
    const inVain = host.start("early", [], { endpoints });
    await expect(inVain).rejects.toThrow("-o parent interface was not found on the host: up0");
    await makeParent();
    const late = await host.start("late", [], { endpoints });
    expect(late.address).toBe("10.77.0.2");
    await late[Symbol.asyncDispose]();
    await host.networks.remove(network.id);
    await command("ip", "link", "delete", "up0");
  });

  test("a relay ends with the container's link while no daemon looks", async () => {
    await using host = await Host.start();
    const web = await host.start("web", [port(80, 8020)]);
    expect(await callInVain("tcp", "::1", 8020)).toBe("none: ECONNRESET");
    host.crash();
    await web.network[Symbol.asyncDispose]();
    using netlink = new Netlink();
    while (listLinks(netlink).some(({ name }) => name.startsWith("veth"))) await Bun.sleep(5);
    let answer = "";
    while (answer !== "none: ECONNREFUSED") answer = await callInVain("tcp", "::1", 8020);
    await host.open(new Map());
  });

  test("when the last container has ended and the daemon stops, nothing is left", async () => {
    const links = await command("ip", "-o", "link");
    const before = await rules();
    {
      await using host = await Host.start();
      await using web = await host.start("web", [port(80, 8020), port(53, 8053, { protocol: "udp" })]);
      expect(web.address).toBe("172.17.0.2");
    }
    expect(await rules()).toEqual(before);
    expect(await command("ip", "-o", "link")).toBe(links);
  });
});
