import { describe, expect, test } from "bun:test";
import {
  formatAddress,
  formatSubnet,
  type IpAddress,
  parseAddress,
  requirePrefix,
} from "../../../src/network/addresses.ts";
import {
  ADDRESS_TYPE,
  AddressRange,
  chooseSubnet,
  DEFAULT_POOLS,
  DefaultIpam,
  firstAddress,
  GATEWAY_TYPE,
  nullIpam,
  uniqueLocalPool,
} from "../../../src/network/ipam.ts";

const subnet = (text: string) => requirePrefix(text, "a test's subnet").subnet;
const address = (text: string): IpAddress => parseAddress(text) ?? { family: 4, value: 0n };
const shown = (given: IpAddress | undefined) => given && formatAddress(given);
const ALL = { options: {}, range: "", subnet: "" };

describe("subnets", () => {
  test.each<[string[], string]>([
    [[], "172.17.0.0/16"],
    [["172.17.0.0/16"], "172.18.0.0/16"],
    [["172.17.5.0/24", "172.18.0.1/32"], "172.19.0.0/16"],
    [["172.16.0.0/12"], "192.168.0.0/20"],
    [["172.16.0.0/12", "192.168.0.0/24"], "192.168.16.0/20"],
    [["fd00::/8"], "172.17.0.0/16"],
  ])("with %p taken the first is %s", (taken, chosen) => {
    expect(formatSubnet(chooseSubnet(DEFAULT_POOLS, taken.map(subnet)))).toBe(chosen);
  });

  test.each([
    ["172.17.0.0/16", "172.18.0.0/16"],
    ["172.31.0.0/16", "192.168.0.0/20"],
    ["192.168.240.0/20", "172.17.0.0/16"],
    ["10.0.0.0/24", "172.17.0.0/16"],
  ])("behind %s comes %s", (last, chosen) => {
    expect(formatSubnet(chooseSubnet(DEFAULT_POOLS, [], subnet(last)))).toBe(chosen);
  });

  test("when all overlap something, that is said", () => {
    expect(() => chooseSubnet(DEFAULT_POOLS, [subnet("172.0.0.0/8"), subnet("192.168.0.0/16")])).toThrow(
      "could not find an available, non-overlapping address pool",
    );
  });

  test("a pool cannot be cut into more than it is", () => {
    expect(() => chooseSubnet([{ base: "10.0.0.0/24", size: 16 }], [])).toThrow("cannot be cut out of it");
  });

  test("of a huge pool no more than a bounded number is tried", () => {
    const started = [{ base: "10.0.0.0/8", size: 30 }];
    expect(() => chooseSubnet(started, [subnet("10.0.0.0/8")])).toThrow("could not find an available");
  });

  test("IPv6 is cut out of a block that is this host's alone", () => {
    const pool = uniqueLocalPool(Uint8Array.of(0x12, 0x34, 0x56, 0x78, 0x9a));
    expect(pool).toEqual({ base: "fd12:3456:789a::/48", size: 64 });
    expect(formatSubnet(chooseSubnet([pool], [subnet("fd12:3456:789a::/64")]))).toBe("fd12:3456:789a:1::/64");
  });

  test.each([
    ["172.17.0.0/16", "172.17.0.1"],
    ["10.0.0.4/31", "10.0.0.4"],
    ["fd00::/64", "fd00::1"],
  ])("the first address of %s is %s", (block, first) => {
    expect(formatAddress(firstAddress(subnet(block)))).toBe(first);
  });
});

describe("a range", () => {
  test("gives what is free in turn, what was given back last, and says when there is no more", () => {
    const range = new AddressRange(subnet("10.0.0.0/29"));
    range.occupy(address("10.0.0.1"));
    const all = Array.from({ length: 5 }, () => shown(range.give()));
    expect(all).toEqual(["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
    expect(range.give()).toBeUndefined();
    range.free(address("10.0.0.4"));
    range.free(address("10.0.0.3"));
    expect(shown(range.give())).toBe("10.0.0.3");
  });

  test("one just given back is not given at once", () => {
    const range = new AddressRange(subnet("10.0.0.0/24"));
    const first = range.give() ?? address("0.0.0.0");
    range.free(first);
    expect(shown(range.give())).not.toBe(formatAddress(first));
  });

  test("goes on behind what was given last before", () => {
    const range = new AddressRange(subnet("10.0.0.0/24"));
    range.resume(address("10.0.0.9"));
    expect(shown(range.give())).toBe("10.0.0.10");
    range.resume(address("10.0.0.255"));
    expect(shown(range.give())).toBe("10.0.0.1");
  });

  test("a part of the subnet bounds what is given, not what may be known", () => {
    const range = new AddressRange(subnet("10.0.0.0/24"), subnet("10.0.0.252/30"));
    range.occupy(address("10.0.0.9"));
    expect([range.give(), range.give(), range.give()].map(shown)).toEqual([
      "10.0.0.252",
      "10.0.0.253",
      "10.0.0.254",
    ]);
    expect(range.give()).toBeUndefined();
  });

  test("of IPv6 the first is kept for routers, and the last is an address as any other", () => {
    const range = new AddressRange(subnet("fd00::/126"));
    expect([range.give(), range.give(), range.give(), range.give()].map(shown)).toEqual([
      "fd00::1",
      "fd00::2",
      "fd00::3",
      undefined,
    ]);
  });

  test("a part outside the subnet is refused", () => {
    expect(() => new AddressRange(subnet("10.0.0.0/24"), subnet("10.0.1.0/25"))).toThrow("not a part of");
  });
});

describe("the default driver", () => {
  const open = (taken: string[] = [], last = {}) =>
    new DefaultIpam({ pools: DEFAULT_POOLS, taken: () => taken.map(subnet), last });
  const GATEWAY = { address: "", options: { [ADDRESS_TYPE]: GATEWAY_TYPE } };
  const ANY = { address: "", options: {} };

  test("gives subnets that nothing has, in turn, and one given back last", async () => {
    const ipam = open(["172.18.0.0/16"]);
    const ask = async () => (await ipam.requestPool({ family: 4, ...ALL })).subnet;
    expect([await ask(), await ask()]).toEqual(["172.17.0.0/16", "172.19.0.0/16"]);
    await ipam.releasePool("172.17.0.0/16");
    expect(await ask()).toBe("172.20.0.0/16");
  });

  test("goes on behind what was given last before a start", async () => {
    expect(await open([], { 4: "172.20.0.0/16" }).requestPool({ family: 4, ...ALL })).toMatchObject({
      subnet: "172.21.0.0/16",
    });
  });

  test.each<[string, string, 4 | 6, string]>([
    ["10.1.0.0/24", "", 4, "Pool overlaps with other one on this address space"],
    ["10.0.0.0/8", "", 4, "Pool overlaps with other one on this address space"],
    ["", "10.2.0.0/24", 4, "needs a --subnet"],
    ["10.2.0.0/24", "10.3.0.0/25", 4, "no matching subnet for range 10.3.0.0/25"],
    ["10.2.0.0/32", "", 4, "no room"],
    ["10.2.0.0/33", "", 4, "invalid subnet 10.2.0.0/33"],
    ["fd00::/64", "", 4, "not one of IPv4"],
    ["nonsense", "", 6, "invalid subnet nonsense"],
    ["10.2.0.0/24", "x", 4, "invalid range x"],
  ])("refuses %s with range %p of IPv%d", async (block, range, family, words) => {
    const ipam = open();
    await ipam.requestPool({ family: 4, subnet: "10.1.0.0/16", range: "", options: {} });
    expect(ipam.requestPool({ family, subnet: block, range, options: {} })).rejects.toThrow(words);
  });

  test("gives the gateway the first address, also with a range, and then the next one that is free", async () => {
    const ipam = open();
    const { poolId } = await ipam.requestPool({
      family: 4,
      subnet: "10.1.0.0/24",
      range: "10.1.0.128/25",
      options: {},
    });
    expect(await ipam.requestAddress(poolId, GATEWAY)).toBe("10.1.0.1");
    expect(await ipam.requestAddress(poolId, ANY)).toBe("10.1.0.128");
    expect(await ipam.requestAddress(poolId, { address: "10.1.0.9", options: {} })).toBe("10.1.0.9");
    await ipam.releaseAddress(poolId, "10.1.0.9");
    expect(await ipam.requestAddress(poolId, { address: "10.1.0.9", options: {} })).toBe("10.1.0.9");
  });

  test.each([
    ["10.1.0.2", "Address already in use"],
    ["10.1.0.0", "Address already in use"],
    ["10.2.0.2", "no configured subnet contains IP address 10.2.0.2"],
    ["10.1.0", "invalid IP address"],
  ])("refuses the address %s", async (wanted, words) => {
    const ipam = open();
    const { poolId } = await ipam.requestPool({ family: 4, subnet: "10.1.0.0/24", range: "", options: {} });
    await ipam.requestAddress(poolId, { address: "10.1.0.2", options: {} });
    expect(ipam.requestAddress(poolId, { address: wanted, options: {} })).rejects.toThrow(words);
  });

  test("knows after a start what is in use and what was given last", async () => {
    const ipam = open();
    const pool = { family: 4, subnet: "10.1.0.0/24", gateway: "10.1.0.1", range: "", auxiliary: {} } as const;
    await ipam.restore(pool, "p", ["10.1.0.1", "10.1.0.8"], "10.1.0.7");
    expect(await ipam.requestAddress("p", ANY)).toBe("10.1.0.9");
    expect(ipam.requestAddress("p", { address: "10.1.0.8", options: {} })).rejects.toThrow("already in use");
  });
});

test("the null driver gives nothing, and says so when something is asked for", async () => {
  const ipam = nullIpam.open();
  expect(await ipam.requestPool({ family: 4, ...ALL })).toEqual({ poolId: "", subnet: "" });
  expect(await ipam.requestAddress("", { address: "", options: {} })).toBe("");
  expect(ipam.requestPool({ family: 4, ...ALL, subnet: "10.0.0.0/8" })).rejects.toThrow("null ipam driver");
});
