import { expect, test } from "bun:test";
import { GraphDB } from "#graphdb";
import type { IpamDriver, Network } from "#network";
import { Addressing } from "../../../src/network/addressing.ts";
import { defaultNetwork } from "../../../src/network/defaults.ts";
import { NetworkStore } from "../../../src/network/store.ts";
import { scratch } from "../../fakes/scratch.ts";

/** A driver that has chosen the gateway by itself. */
class Chooser implements IpamDriver {
  readonly asked: string[] = [];
  readonly returned: string[] = [];

  async requestPool() {
    return { poolId: "a pool", subnet: "10.7.0.0/24", gateway: "10.7.0.1" };
  }

  async releasePool(poolId: string) {
    this.returned.push(poolId);
  }

  async requestAddress(_: string, { address }: { readonly address: string }) {
    this.asked.push(address);
    return address;
  }

  async releaseAddress(_: string, address: string) {
    this.returned.push(address);
  }

  async restore() {}
}

function networkOf(gateway: string): Network {
  const pools = [{ family: 4 as const, subnet: "", gateway, range: "", auxiliary: { router: "10.7.0.9" } }];
  return { ...defaultNetwork("front"), ipam: { driver: "chooser", options: {}, pools } };
}

test.each([
  ["", "10.7.0.1"],
  ["10.7.0.1", "10.7.0.1"],
  ["10.7.0.254", "10.7.0.254"],
])("of a driver that has a gateway of its own %p is asked for: it is %s", async (asked, gateway) => {
  await using folder = await scratch();
  using database = new GraphDB(`${folder.path}/bunker.db`);
  const driver = new Chooser();
  const store = new NetworkStore(database);
  const addressing = new Addressing({ store, driverOf: () => driver, log: () => {} });
  await using undo = new AsyncDisposableStack();
  const network = await addressing.openPools(networkOf(asked), undo);
  expect(network.ipam.pools[0]).toMatchObject({ subnet: "10.7.0.0/24", gateway });
  expect(driver.asked).toEqual(gateway === "10.7.0.1" ? ["10.7.0.9"] : [gateway, "10.7.0.9"]);
  await addressing.closePools(network);
  expect(driver.returned).toEqual([gateway, "10.7.0.9", "a pool"]);
});
