import { afterAll, beforeAll, expect, test } from "bun:test";
import { describeInOwnNetwork } from "../fixtures/describe-in-own-network.ts";
import { running } from "../fixtures/network-host.ts";
import { makeNeighbour } from "../fixtures/network-neighbour.ts";
import type { OtherNetwork } from "../fixtures/own-network.ts";
import { NO_POOLS, on, openPluginHost, POOL, request } from "../fixtures/plugin-host.ts";

describeInOwnNetwork(import.meta.path, () => {
  let neighbour: OtherNetwork;

  beforeAll(async () => {
    neighbour = await makeNeighbour();
  });

  afterAll(async () => neighbour[Symbol.asyncDispose]());

  test("addresses of a plugin are asked for, and given back", async () => {
    await using all = await openPluginHost();
    const { host, addresses, book } = all;
    addresses.requiresMac = true;
    const ipam = { ...NO_POOLS, driver: "book", options: { who: "me" } };
    const { network } = await host.networks.create(request("far", { ipam, driver: "bridge" }));
    expect(network.ipam.pools).toMatchObject([{ subnet: "10.88.0.0/24", gateway: "10.88.0.1" }]);
    expect(book.calls("IpamDriver.RequestPool")).toEqual([
      { AddressSpace: "here", Pool: "", SubPool: "", Options: { who: "me" }, V6: false },
    ]);
    {
      await using one = await host.start("one", [], on("far"));
      const [endpoint] = one.sandbox.endpoints;
      expect(endpoint?.address).toBe("10.88.0.2");
      expect(book.calls("IpamDriver.RequestAddress").at(-1)?.Options).toEqual({
        who: "me",
        "com.docker.network.endpoint.macaddress": endpoint?.macAddress,
      });
    }
    expect([...(addresses.pools.get("here/10.88.0.0/24") ?? [])]).toEqual(["10.88.0.1"]);
    await host.networks.remove("far");
    expect(addresses.pools.size).toBe(0);
    await expect(host.networks.create(request("x", { ipam: { ...ipam, driver: "nobody" } }))).rejects.toThrow(
      "Cannot use the IPAM driver nobody",
    );
  });

  test("an address plugin that forgets is told again", async () => {
    await using all = await openPluginHost();
    const { host, addresses } = all;
    addresses.requiresReplay = true;
    await host.networks.create(request("far", { ipam: { ...NO_POOLS, driver: "book" } }));
    await using one = await host.start("one", [], on("far"));
    host.crash();
    addresses.pools.clear();
    await host.open(running(one));
    await using two = await host.start("two", [], on("far"));
    expect(two.address).toBe("10.88.0.3");
    expect([...(addresses.pools.get("here/10.88.0.0/24") ?? [])].sort()).toEqual([
      "10.88.0.1",
      "10.88.0.2",
      "10.88.0.3",
    ]);
  });

  test.each<[string, object, RegExp]>([
    ["RequestPool", { PoolID: "p", Pool: "all" }, /"all" is no block of IPv4 addresses/],
    ["RequestPool", { PoolID: "p", Pool: "fd00::/64" }, /is no block of IPv4/],
    ["RequestPool", { PoolID: "", Pool: "10.88.9.0/24" }, /PoolID/],
    [
      "RequestPool",
      { PoolID: "p", Pool: "10.9.0.0/24" },
      /it gave 10\.9\.0\.0\/24 where 10\.88\.7\.0\/24 was/,
    ],
    ["RequestAddress", { Address: "10.1.1.1/24" }, /10\.1\.1\.1 is outside its pool 10\.88\.7\.0\/24/],
    ["RequestAddress", { Address: "none" }, /"none" is no address with a prefix length/],
  ])("a lie of an address plugin at %s is found out: %j", async (call, answer, words) => {
    await using all = await openPluginHost();
    const { host, book } = all;
    const ipam = { driver: "book", options: {}, pools: [{ ...POOL, subnet: "10.88.7.0/24" }] };
    book.faults.set(`IpamDriver.${call}`, { kind: "text", text: JSON.stringify(answer) });
    await expect(host.networks.create(request("far", { ipam }))).rejects.toThrow(words);
    await expect(host.networks.create(request("far", { ipam }))).rejects.toThrow(/IpamDriver\..*book/);
    expect(host.networks.find("far")).toBeUndefined();
    book.faults.clear();
    await host.networks.create(request("far", { ipam }));
    await using one = await host.start("one", [], on("far"));
    book.faults.set("IpamDriver.RequestAddress", {
      kind: "text",
      text: JSON.stringify({ Address: `${one.address}/24` }),
    });
    await expect(host.start("two", [], on("far"))).rejects.toThrow(`${one.address} is in use`);
  });
});
