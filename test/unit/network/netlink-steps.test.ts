import { describe, expect, test } from "bun:test";
import { NetlinkMessage, readAttributes, readMessages, readNumber, readText } from "#host";
import type { NetlinkStep } from "#oci";
import { parseAddress } from "../../../src/network/addresses.ts";
import * as steps from "../../../src/network/netlink-steps.ts";

const address = (text: string) => parseAddress(text) ?? { family: 4 as const, value: 0n };
const container = { link: "eth0", netns: "child" } as const;
const veth = {
  name: "veth01234567",
  bridge: "bunker0",
  peer: "eth0",
  macAddress: "02:42:ac:11:00:02",
  mtu: 1500,
};

/** Each was obeyed by the kernel, and `ip address` and `ip route` then showed what it says. */
const TABLE: readonly (readonly [string, NetlinkStep, string, string])[] = [
  [
    "a veth pair",
    steps.makeVeth(veth),
    "9000000010000506010000000000000000000000000000000100000001000000110003007665746830313233343536370000000008000400dc05000008000a00000000004c0012800800010076657468400002803c000180000000000000000000000000000000000900030065746830000000000a0001000242ac110002000008000400dc05000008001c0000000000",
    "64 index bunker0, 140 netns",
  ],
  [
    "a reflecting port",
    steps.allowHairpin("veth0"),
    "3c000000100005000100000000000000000000000000000000000000000000001c0012800a00040062726964676500000c0005800500040001000000",
    "20 index veth0",
  ],
  [
    "a port kept apart",
    steps.isolatePort("veth0"),
    "3c000000100005000100000000000000000000000000000000000000000000001c0012800a00040062726964676500000c0005800500210001000000",
    "20 index veth0",
  ],
  [
    "a port of a bridge",
    steps.joinBridge("veth0", "bunker0"),
    "280000001000050001000000000000000000000000000000000000000000000008000a0000000000",
    "20 index veth0, 36 index bunker0",
  ],
  [
    "a bridge",
    steps.makeBridge("bunker0", "02:42:01:02:03:04"),
    "48000000100005060100000000000000000000000000000000000000000000000c00030062756e6b657230000a0001000242010203040000100012800a0001006272696467650000",
    "",
  ],
  [
    "a bridge's settings",
    steps.configureLink("bunker0", { mtu: 1400, alias: "mine" }),
    "30000000100005000100000000000000000000000000000001000000010000000800040078050000080014006d696e65",
    "20 index bunker0",
  ],
  [
    "the loopback up",
    steps.bringLoopbackUp(),
    "2000000010000500010000000000000000000000010000000100000001000000",
    "",
  ],
  [
    "a link up",
    steps.bringUp("eth0"),
    "2000000010000500010000000000000000000000000000000100000001000000",
    "20 index eth0",
  ],
  [
    "a link's end",
    steps.deleteLink("veth0"),
    "2c000000110005000100000000000000000000000000000000000000000000000a0003007665746830000000",
    "",
  ],
  [
    "an IPv4 address",
    steps.addAddress({ ...container, address: address("172.17.0.2"), prefixLength: 16 }),
    "30000000140005060100000000000000021000000000000008000200ac11000208000100ac11000208000400ac11ffff",
    "20 index eth0",
  ],
  [
    "an IPv6 address",
    steps.addAddress({ ...container, address: address("fd00::2"), prefixLength: 64 }),
    "400000001400050601000000000000000a4002000000000014000200fd00000000000000000000000000000214000100fd000000000000000000000000000002",
    "20 index eth0",
  ],
  [
    "an address less",
    steps.removeAddress({ link: "bunker0", netns: "host", address: address("10.0.0.1"), prefixLength: 24 }),
    "300000001500050001000000000000000218000000000000080002000a000001080001000a000001080004000a0000ff",
    "20 index bunker0",
  ],
  [
    "an IPv4 default route",
    steps.setDefaultRoute("eth0", 4, address("172.17.0.1")),
    "2c00000018000505010000000000000002000000fe0300010000000008000500ac1100010800040000000000",
    "40 index eth0",
  ],
  [
    "an IPv6 default route",
    steps.setDefaultRoute("eth0", 6, address("fd00::1")),
    "380000001800050501000000000000000a000000fe0300010000000014000500fd0000000000000000000000000000010800040000000000",
    "52 index eth0",
  ],
];

describe("as a netlink message", () => {
  test.each(TABLE)("%s", (_name, step, bytes, patches) => {
    expect(Buffer.from(step.message).toString("hex")).toBe(bytes);
    const shown = step.patches.map((patch) =>
      patch.kind === "index" ? `${patch.offset} index ${patch.name}` : `${patch.offset} netns`,
    );
    expect(shown.join(", ")).toBe(patches);
  });
});

describe("reading netlink", () => {
  test("finds nested attributes again", () => {
    const message = new NetlinkMessage(16, 0);
    message.fields([4, 7]);
    message.text(3, "veth0");
    message.nested(18, () => message.number(4, 1500));
    const [read] = [...readMessages(message.finish())];
    expect(read?.type).toBe(16);
    expect(readNumber(read?.body)).toBe(7);
    const attributes = readAttributes(read?.body ?? new Uint8Array(), 4);
    expect(readText(attributes.get(3))).toBe("veth0");
    expect(readNumber(readAttributes(attributes.get(18) ?? new Uint8Array()).get(4))).toBe(1500);
  });

  test.each([
    ["too short for a header", "0400"],
    ["a length beyond the datagram", "ff000000100000000000000000000000"],
    ["a length of nothing", "00000000100000000000000000000000"],
  ])("ends at %s", (_name, hex) => {
    expect([...readMessages(Buffer.from(hex, "hex"))]).toEqual([]);
  });

  test("ends at an attribute that is longer than what there is, or than itself", () => {
    expect([...readAttributes(Buffer.from("0800010001000000ff00020001000000", "hex")).keys()]).toEqual([1]);
    expect([...readAttributes(Buffer.from("0200010001000000", "hex")).keys()]).toEqual([]);
  });
});
