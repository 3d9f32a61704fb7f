import { afterAll, beforeAll, expect, test } from "bun:test";
import type { PortRequest } from "#network";
import { describeInOwnNetwork } from "../fixtures/describe-in-own-network.ts";
import { Host, port, rules } from "../fixtures/network-host.ts";
import { makeNeighbour } from "../fixtures/network-neighbour.ts";
import { call, type OtherNetwork } from "../fixtures/own-network.ts";

describeInOwnNetwork(import.meta.path, () => {
  let neighbour: OtherNetwork;

  beforeAll(async () => {
    neighbour = await makeNeighbour();
  });

  afterAll(async () => neighbour[Symbol.asyncDispose]());

  test("a port in use is refused with the name of who has it, and nothing is left of the attempt", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    const before = await rules();
    const refused = async (...ports: PortRequest[]) =>
      host.networks.prepare(await host.request("late", ports)).then(String, (error: Error) => error.message);
    expect(await refused(port(81, 8021), port(80, 8020))).toContain(
      "Bind for 0.0.0.0:8020 failed: port is already allocated: the container web has tcp port 8020",
    );
    const comm = (await Bun.file("/proc/self/comm").text()).trim();
    using server = Bun.listen({ hostname: "0.0.0.0", port: 8099, socket: { data() {} } });
    expect(await refused(port(80, 8099))).toContain(
      `port is already allocated: the process ${comm} (pid ${process.pid})`,
    );
    void server;
    expect(await refused(port(80, 8022, { hostAddress: "10.1.2.3" }))).toContain("no interface of this host");
    expect(await rules()).toEqual(before);
    expect(host.networks.endpoints("late".padEnd(64, "0")).ports).toEqual([]);
    expect(
      (await host.networks.prepare(await host.request("free", [port(80, 8021)]))).ports[0]?.hostPort,
    ).toBe(8021);
    expect(web.sandbox.ports).toHaveLength(2);
  });

  test("a port is free again as soon as its container is released, lingering connections or not", async () => {
    await using host = await Host.start();
    for (const id of ["one", "two", "three"]) {
      await using web = await host.start(id, [port(80, 8020)]);
      await web.network.serve(id, "tcp", "0.0.0.0", 80);
      expect(await call("tcp", "::1", 8020)).toBe(`${id} 172.17.0.1 5`);
      expect(await call("tcp", "127.0.0.1", 8020)).toBe(`${id} 172.17.0.1 5`);
    }
  });

  test("a range gives its first free port, no port at all one of the kernel's ephemeral ones, each time another", async () => {
    await using host = await Host.start();
    const range = { hostPortEnd: 8102 };
    await using one = await host.start("one", [port(80, 8100, range)]);
    await using two = await host.start("two", [port(80, 8100, range), port(81, 0)]);
    await using three = await host.start("three", [port(81, 0)]);
    const given = [one, two, three].map(({ sandbox }) => sandbox.ports.map(({ hostPort }) => hostPort));
    expect(given).toEqual([
      [8100, 8100],
      [8101, 8101, 32768, 32768],
      [32769, 32769],
    ]);
  });

  test("without the firewall ports go through the relay", async () => {
    const before = await rules();
    await using host = await Host.start({ iptables: false });
    await using web = await host.start("web", [port(80, 8020), port(53, 8053, { protocol: "udp" })]);
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    await web.network.serve("web", "udp", "0.0.0.0", 53);
    expect(await rules()).toEqual(before);
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await neighbour.call("udp", "10.9.0.1", 8053)).toBe("web 172.17.0.1 5");
  });
});
