import { expect, test } from "bun:test";
import { formatAddress, formatSubnet, requirePrefix } from "../../../src/network/addresses.ts";
import { AddressRange, chooseSubnet, DEFAULT_POOLS, firstAddress } from "../../../src/network/ipam.ts";

const subnet = (text: string) => requirePrefix(text, "a test's subnet").subnet;
const address = (text: string) => requirePrefix(`${text}/32`, "a test's address").address;

test.each([
  [[], "172.17.0.0/16"],
  [["172.17.0.0/16"], "172.18.0.0/16"],
  [["172.17.3.4/32", "172.18.0.0/15"], "172.20.0.0/16"],
  [["172.16.0.0/12"], "192.168.0.0/20"],
  [["172.16.0.0/12", "192.168.0.0/24", "192.168.20.1/32"], "192.168.32.0/20"],
])("beside %p the default pools give %s", (taken, chosen) => {
  expect(formatSubnet(chooseSubnet(DEFAULT_POOLS, taken.map(subnet)))).toBe(chosen);
});

test("when every pool is taken the refusal says what to give", () => {
  expect(() => chooseSubnet(DEFAULT_POOLS, [subnet("172.0.0.0/8"), subnet("192.168.0.0/16")])).toThrow(
    "--bip",
  );
});

test("the first address is the gateway's", () => {
  expect(formatAddress(firstAddress(subnet("172.17.0.0/16")))).toBe("172.17.0.1");
});

test("an address given back is given again only after all others", () => {
  const range = new AddressRange(subnet("10.0.0.0/29"), address("10.0.0.1"));
  const given = () => formatAddress(range.give());
  expect([given(), given(), given()]).toEqual(["10.0.0.2", "10.0.0.3", "10.0.0.4"]);
  range.free(address("10.0.0.2"));
  expect([given(), given(), given()]).toEqual(["10.0.0.5", "10.0.0.6", "10.0.0.2"]);
  expect(given).toThrow("all 5 of 10.0.0.0/29 are in use");
  range.free(address("10.0.0.4"));
  expect(given()).toBe("10.0.0.4");
});

test("what is known from before is not given, and giving goes on behind it", () => {
  const range = new AddressRange(subnet("10.0.0.0/24"), address("10.0.0.1"));
  range.occupy(address("10.0.0.7"));
  expect(formatAddress(range.give())).toBe("10.0.0.8");
});

test("a fixed part of the subnet bounds what is given, not what may be known", () => {
  const range = new AddressRange(subnet("10.0.0.0/24"), address("10.0.0.1"), subnet("10.0.0.252/30"));
  range.occupy(address("10.0.0.9"));
  expect([1, 2, 3].map(() => formatAddress(range.give()))).toEqual([
    "10.0.0.252",
    "10.0.0.253",
    "10.0.0.254",
  ]);
  expect(() => range.give()).toThrow("in use");
});

test("a fixed part outside the subnet is refused", () => {
  expect(() => new AddressRange(subnet("10.0.0.0/24"), address("10.0.0.1"), subnet("10.0.1.0/25"))).toThrow(
    "it is not a part of 10.0.0.0/24",
  );
});
