import { expect, test } from "bun:test";
import { GraphDB } from "#graphdb";
import type { IpamDriver, Network } from "#network";
import { Addressing, requireAligned } from "../../../src/network/addressing.ts";
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

test.each([
  ["10.7.0.9/24", "", "invalid subnet 10.7.0.9/24: it should be 10.7.0.0/24"],
  ["fd07::9/64", "", "invalid subnet fd07::9/64: it should be fd07::/64"],
  ["10.7.0.0/24", "10.7.0.65/26", "invalid ip-range 10.7.0.65/26: it should be 10.7.0.64/26"],
])("the subnet %p with the range %p is refused: %s", (subnet, range, words) => {
  const pool = { family: 4 as const, subnet, range, gateway: "", auxiliary: {} };
  expect(() => requireAligned([pool])).toThrow(words);
});

test("blocks that are whole, and none at all, are fine", () => {
  const pool = { family: 4 as const, gateway: "", auxiliary: {} };
  const blocks = [["10.7.0.0/24", "10.7.0.64/26"] as const, ["", ""] as const];
  requireAligned(blocks.map(([subnet, range]) => ({ ...pool, subnet, range })));
});
