import { describe, expect, test } from "bun:test";
import {
  CAPABILITIES,
  capabilitiesOf,
  capabilityMask,
  capabilityNamed,
  containerCapabilities,
  DEFAULT_CAPABILITIES,
  hostCapabilities,
} from "#libcontainer";
import { boundingSet } from "../../../src/libcontainer/capabilities.ts";

const mask = (add: readonly string[], drop: readonly string[], privileged = false) =>
  capabilityMask(containerCapabilities({ add, drop, privileged }));
const ALL = (1n << 41n) - 1n;

describe("capabilities", () => {
  test("are Docker's fourteen by default", () => {
    expect(capabilityMask(DEFAULT_CAPABILITIES)).toBe(0xa80425fbn);
  });

  for (const [word, name] of [
    ["NET_ADMIN", "CAP_NET_ADMIN"],
    ["cap_net_admin", "CAP_NET_ADMIN"],
    ["Cap_Chown", "CAP_CHOWN"],
    [" mknod ", "CAP_MKNOD"],
    ["all", "ALL"],
    ["CAP_ALL", "ALL"],
    ["checkpoint_restore", "CAP_CHECKPOINT_RESTORE"],
  ] as const)
    test(`are understood as "${word}"`, () => expect(capabilityNamed(word)).toBe(name));

  for (const word of ["", "CAP_", "NET", "CAP_CAP_CHOWN", "chown,kill"])
    test(`are refused as "${word}", which the message names`, () => {
      expect(() => capabilityNamed(word)).toThrow(`unknown capability "${word}"`);
    });

  for (const [title, add, drop, expected] of [
    ["nothing asked", [], [], 0xa80425fbn],
    ["one added", ["NET_ADMIN"], [], 0xa80425fbn | (1n << 12n)],
    ["one dropped", [], ["MKNOD"], 0xa80425fbn & ~(1n << 27n)],
    ["all dropped", [], ["ALL"], 0n],
    ["all dropped and one added", ["CHOWN"], ["ALL"], 1n],
    ["all added", ["ALL"], [], ALL],
    ["all added and one dropped", ["ALL"], ["SYS_ADMIN"], ALL & ~(1n << 21n)],
    ["all added and all dropped", ["ALL"], ["ALL"], ALL],
    ["the same one added and dropped", ["MKNOD"], ["MKNOD"], 0xa80425fbn],
  ] as const)
    test(`come to the right set with ${title}`, () => expect(mask(add, drop)).toBe(expected));

  test("are all there for privileged containers, whose lists are checked all the same", () => {
    expect(mask([], ["ALL"], true)).toBe(ALL);
    expect(() => mask(["NO_SUCH"], [], true)).toThrow("NO_SUCH");
  });

  test("go from names to bits and back", () => {
    expect(capabilitiesOf(capabilityMask(CAPABILITIES))).toEqual(CAPABILITIES);
    expect(capabilityMask(["CAP_CHECKPOINT_RESTORE"])).toBe(1n << 40n);
  });

  test("of a process are read from its status", () => {
    expect(boundingSet("Name:\tx\nCapBnd:\t000001fffeffffff\nCapAmb:\t0\n")).toBe(0x1fffeffffffn);
    expect(boundingSet("Name:\tx\n")).toBe(0n);
    expect(hostCapabilities()).toBeGreaterThan(0n);
  });
});
