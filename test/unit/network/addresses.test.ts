import { expect, test } from "bun:test";
import {
  addressBytes,
  addressOf,
  contains,
  formatAddress,
  formatSubnet,
  overlaps,
  parseAddress,
  parsePrefix,
  subnetOf,
} from "../../../src/network/addresses.ts";

test.each([
  ["0.0.0.0", "0.0.0.0"],
  ["172.17.0.2", "172.17.0.2"],
  ["255.255.255.255", "255.255.255.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["FD00:0:0:0:0:0:0:2", "fd00::2"],
  ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
  ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
  ["1::", "1::"],
  ["::ffff:10.0.0.1", "::ffff:a00:1"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
])("%s is an address, written %s", (text, written) => {
  const address = parseAddress(text);
  expect(address && formatAddress(address)).toBe(written);
  expect(address && formatAddress(addressOf(addressBytes(address)))).toBe(written);
});

test.each([
  "",
  "1.2.3",
  "1.2.3.4.5",
  "01.2.3.4",
  "1.2.3.256",
  "1.2.3.-4",
  "1.2.3.4 ",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "12345::",
  "[::1]",
  "fe80::1%eth0",
  "::1.2.3",
  "1.2.3.4::",
  "localhost",
])("%p is no address", (text) => {
  expect(parseAddress(text)).toBeUndefined();
});

test.each([
  ["172.17.0.1/16", "172.17.0.0/16"],
  ["10.1.2.3/32", "10.1.2.3/32"],
  ["10.1.2.3/0", "0.0.0.0/0"],
  ["fd00::1234/64", "fd00::/64"],
])("%s lies in %s", (text, subnet) => {
  const parsed = parsePrefix(text);
  expect(parsed && formatSubnet(parsed.subnet)).toBe(subnet);
});

test.each(["172.17.0.1", "172.17.0.1/33", "172.17.0.1/", "172.17.0.1/-1", "fd00::/129", "1.2.3.4/8/9"])(
  "%p is no address with a prefix length",
  (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  },
);

test("blocks contain and overlap each other as their bits say, and never across families", () => {
  const subnet = (text: string) => parsePrefix(text)?.subnet ?? subnetOf({ family: 4, value: 0n }, 32);
  const address = (text: string) => parseAddress(text) ?? { family: 4 as const, value: 0n };
  expect(contains(subnet("10.0.0.0/24"), address("10.0.0.255"))).toBe(true);
  expect(contains(subnet("10.0.0.0/24"), address("10.0.1.0"))).toBe(false);
  expect(contains(subnet("0.0.0.0/0"), address("::1"))).toBe(false);
  expect(overlaps(subnet("10.0.0.0/8"), subnet("10.20.0.0/16"))).toBe(true);
  expect(overlaps(subnet("10.20.0.0/16"), subnet("10.0.0.0/8"))).toBe(true);
  expect(overlaps(subnet("10.20.0.0/16"), subnet("10.21.0.0/16"))).toBe(false);
});
