import { describe, expect, test } from "bun:test";
import { ipvlanOf } from "../../../../src/network/drivers/ipvlan/index.ts";
import { macvlanOf } from "../../../../src/network/drivers/macvlan/index.ts";
import { parseVlan } from "../../../../src/network/drivers/upper/parents.ts";

describe("the parent's name", () => {
  test.each([
    ["eth0", undefined],
    ["eth0.10", { parent: "eth0", vlan: 10 }],
    ["eth0.4094", { parent: "eth0", vlan: 4094 }],
    ["bond0.7.20", { parent: "bond0.7", vlan: 20 }],
  ])("%s", (text, parsed) => {
    expect(parseVlan(text)).toEqual(parsed);
  });

  test.each([
    ["eth0.0", /vlan id must be between 1-4094, received: 0/],
    ["eth0.4095", /received: 4095/],
    ["eth0.", /named PARENT.VLAN/],
    [".10", /named PARENT.VLAN/],
    ["eth0.x", /named PARENT.VLAN/],
  ])("%s is refused", (text, words) => {
    expect(() => parseVlan(text)).toThrow(words);
  });
});

describe("modes", () => {
  test.each([
    [{}, "bridge"],
    [{ macvlan_mode: "" }, "bridge"],
    [{ macvlan_mode: "private" }, "private"],
    [{ macvlan_mode: "vepa" }, "vepa"],
    [{ macvlan_mode: "passthru" }, "passthru"],
  ])("of macvlan: %j is %s", (options, mode) => {
    expect(macvlanOf({ options: options as Record<string, string> })).toEqual({
      kind: "macvlan",
      mode,
    } as never);
  });

  test.each([
    [{}, "l2", "bridge"],
    [{ ipvlan_mode: "l3" }, "l3", "bridge"],
    [{ ipvlan_mode: "l3s", ipvlan_flag: "private" }, "l3s", "private"],
    [{ ipvlan_flag: "vepa" }, "l2", "vepa"],
  ])("of ipvlan: %j is %s and %s", (options, mode, flag) => {
    expect(ipvlanOf({ options: options as Record<string, string> })).toEqual({
      kind: "ipvlan",
      mode,
      flag,
    } as never);
  });

  test.each(["l2", "constructor", "Bridge"])("%s is none of macvlan", (mode) => {
    expect(() => macvlanOf({ options: { macvlan_mode: mode } })).toThrow(
      `requested macvlan mode '${mode}' is not valid, 'bridge' mode is the macvlan driver default`,
    );
  });

  test.each([
    [{ ipvlan_mode: "bridge" }, /requested ipvlan mode 'bridge' is not valid, 'l2'/],
    [{ ipvlan_flag: "passthru" }, /requested ipvlan flag 'passthru' is not valid/],
  ])("%j is none of ipvlan", (options, words) => {
    expect(() => ipvlanOf({ options: options as Record<string, string> })).toThrow(words);
  });
});
