import { describe, expect, test } from "bun:test";
import type { FilteredBridge, ForwardedPort } from "#network";
import { IptablesRules } from "../../../src/network/firewall/iptables-rules.ts";
import { parseRules, setJumps } from "../../../src/network/firewall/iptables-save.ts";
import { elementLines, elementsOf } from "../../../src/network/firewall/nft-script.ts";

const plain = (rules: readonly string[]): string[] =>
  rules.map((rule) => rule.replace(/-m comment --comment bunker:\S+ /, ""));

const port = (more: Partial<ForwardedPort> = {}): ForwardedPort => ({
  family: 4,
  protocol: "tcp",
  hostAddress: "0.0.0.0",
  hostPort: 8020,
  address: "172.17.0.2",
  containerPort: 80,
  isTranslated: true,
  isDirect: false,
  ...more,
});

const six: Partial<ForwardedPort> = { family: 6, hostAddress: "::", address: "fd00::2" };
const forwarding = (...ports: ForwardedPort[]) => ({
  containerId: "abcdef0123456789",
  bridge: "br0",
  ports,
  passages: [],
});

const bridge = (more: Partial<FilteredBridge> = {}): FilteredBridge => ({
  name: "br0",
  subnets: [
    { family: 4, subnet: "172.17.0.0/16", isMasqueraded: true, sourceAddress: "", directReach: "none" },
  ],
  isOpenInside: true,
  isInternal: false,
  trustedInterfaces: [],
  ...more,
});

describe("iptables rules of a port", () => {
  const rules = new IptablesRules("bunker0");
  const cases: [string, ForwardedPort, string, readonly string[]][] = [
    [
      "of all addresses",
      port(),
      "nat",
      ["BUNKER-DNAT -p tcp -m tcp --dport 8020 -j DNAT --to-destination 172.17.0.2:80"],
    ],
    [
      "of one address",
      port({ hostAddress: "10.0.0.1", protocol: "udp" }),
      "nat",
      ["BUNKER-DNAT -d 10.0.0.1/32 -p udp -m udp --dport 8020 -j DNAT --to-destination 172.17.0.2:80"],
    ],
    [
      "of IPv6",
      port(six),
      "nat",
      ["BUNKER-DNAT -p tcp -m tcp --dport 8020 -j DNAT --to-destination [fd00::2]:80"],
    ],
    [
      "of one IPv6 address",
      port({ ...six, hostAddress: "fd09::1" }),
      "nat",
      ["BUNKER-DNAT -d fd09::1/128 -p tcp -m tcp --dport 8020 -j DNAT --to-destination [fd00::2]:80"],
    ],
    [
      "of the loopback, closed to others",
      port({ hostAddress: "127.0.0.2" }),
      "raw",
      ["BUNKER-RAW -d 127.0.0.2/32 ! -i lo -p tcp -m tcp --dport 8020 -j DROP"],
    ],
    ["of all addresses, closed to nobody", port(), "raw", []],
    [
      "that is routed to",
      port({ isTranslated: false, isDirect: true }),
      "filter",
      ["BUNKER-PUB -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j ACCEPT"],
    ],
    ["that is routed to, translated by none", port({ isTranslated: false, isDirect: true }), "nat", []],
  ];
  for (const [title, one, table, expected] of cases)
    test(title, () => {
      const found = rules.ofForwarding(forwarding(one), one.family);
      expect(plain(found[table as "nat"])).toEqual([...expected]);
      expect(rules.ofForwarding(forwarding(one), one.family === 4 ? 6 : 4).nat).toEqual([]);
    });

  test("bear the container's mark, and the daemon's name in every chain but the plain ones", () => {
    expect(rules.ofForwarding(forwarding(port()), 4).nat[0]).toContain(
      "--comment bunker:bunker0:abcdef012345 ",
    );
    const other = new IptablesRules("longest-name-15");
    expect(other.ofForwarding(forwarding(port()), 4).nat[0]).toStartWith("BUNKER-DNAT-longest-name-15 ");
    for (const table of ["raw", "nat", "filter"] as const)
      for (const chain of [...other.ownChains(table), other.user])
        expect(chain.length).toBeLessThanOrEqual(28);
  });
});

describe("iptables rules of a bridge", () => {
  const rules = new IptablesRules("bunker0");
  const filter = (one: FilteredBridge) => plain(rules.ofBridge(one, 4).filter);

  test("let its containers out, answers and published ports in, and close the rest", () => {
    expect(filter(bridge())).toEqual([
      "BUNKER-EST -o br0 -j ACCEPT",
      "BUNKER-EST -i br0 -j ACCEPT",
      "BUNKER-IN -o br0 -m conntrack --ctstate DNAT -j ACCEPT",
      "BUNKER-IN -i br0 -o br0 -j ACCEPT",
      "BUNKER-IN -o br0 -j DROP",
      "BUNKER-OUT -i br0 -j ACCEPT",
    ]);
  });

  test("confine an internal one before anything else, and let nothing out of it", () => {
    const found = filter(bridge({ isInternal: true }));
    expect(found.filter((rule) => rule.startsWith("BUNKER-CONF"))).toEqual([
      "BUNKER-CONF -i br0 ! -o br0 -j DROP",
      "BUNKER-CONF ! -i br0 -o br0 -j DROP",
    ]);
    expect(found.some((rule) => rule.startsWith("BUNKER-OUT"))).toBe(false);
  });

  test("take no connection of an internal one with elsewhere for known, whatever other bridges say", () => {
    const found = filter(bridge({ isInternal: true })).filter((rule) => rule.startsWith("BUNKER-EST"));
    expect(found.map((rule) => rules.add(rule))).toEqual([
      "-I BUNKER-EST 1 -i br0 ! -o br0 -j RETURN",
      "-I BUNKER-EST 1 ! -i br0 -o br0 -j RETURN",
      "-A BUNKER-EST -o br0 -j ACCEPT",
    ]);
  });

  test("are passed by few rules on the way of a frame of a known connection", () => {
    expect(plain(rules.jumps("raw", 4))).toEqual([
      "PREROUTING -d 127.0.0.0/8 -j BUNKER-RAW",
      "PREROUTING -s 127.0.0.0/8 -j BUNKER-RAW",
      "PREROUTING -j BUNKER-GATE",
    ]);
    expect(plain(rules.jumps("raw", 6))).toEqual(["PREROUTING -j BUNKER-GATE"]);
    expect(plain(rules.jumps("filter", 4))).toEqual([
      "FORWARD -j BUNKER-USER",
      "FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j BUNKER-EST",
      "FORWARD -j BUNKER-FWD",
    ]);
  });

  test("keep containers apart, and trust a link", () => {
    expect(filter(bridge({ isOpenInside: false }))).toContain("BUNKER-IN -i br0 -o br0 -j DROP");
    const trusting = bridge({ trustedInterfaces: ["eth9"] });
    expect(filter(trusting)).toContain("BUNKER-IN -i eth9 -o br0 -j ACCEPT");
    const lines = rules.ofBridge(trusting, 4).raw.map((rule) => rules.add(rule));
    expect(plain(lines)).toContain("-I BUNKER-GATE 1 -d 172.17.0.0/16 -i eth9 -j RETURN");
    expect(plain(lines)).toContain(
      "-A BUNKER-GATE -d 172.17.0.0/16 ! -i br0 -m addrtype ! --dst-type LOCAL -j DROP",
    );
  });

  test("say nothing of a family that it has not", () => {
    expect(rules.ofBridge(bridge(), 6)).toEqual({ raw: [], nat: [], filter: [] });
  });
});

describe("nftables elements", () => {
  const elements = elementsOf(
    {
      bridges: [bridge()],
      forwardings: [forwarding(port(), port({ hostAddress: "127.0.0.1", hostPort: 8021 }))],
    },
    4,
  );

  test("are one line for each set, marked, and taken away by their keys", () => {
    const added = elementLines("add", { daemon: "bunker0", family: 4, elements });
    expect(added).toContain(
      'add element ip bunker published { tcp . 8020 comment "bunker:bunker0:abcdef012345" : 172.17.0.2 . 80 }',
    );
    expect(added).toContain(
      'add element ip bunker loopback { 127.0.0.1 . tcp . 8021 comment "bunker:bunker0:abcdef012345" }',
    );
    const removed = elementLines("delete", { daemon: "other", family: 4, elements });
    expect(removed).toContain("delete element ip bunker-other published { tcp . 8020 }");
    expect(removed).toHaveLength(added.length);
  });

  test("name a container's port once, though two of the host's lead there", () => {
    const direct = forwarding(port({ isDirect: true }), port({ isDirect: true, hostPort: 8021 }));
    const found = elementsOf({ bridges: [], forwardings: [direct] }, 4);
    expect(found.filter(({ set }) => set === "direct")).toHaveLength(1);
  });
});

describe("what iptables-save prints", () => {
  test("is read by table, and other tables are left out", () => {
    const saved = [
      "# Generated by iptables-save",
      "*mangle",
      "-A PREROUTING -j MARK",
      "COMMIT",
      "*nat",
      ":PREROUTING ACCEPT [0:0]",
      ":BUNKER-DNAT - [0:0]",
      '-A PREROUTING -m addrtype --dst-type LOCAL -m comment --comment "bunker:bunker0" -j BUNKER-DNAT',
      "COMMIT",
    ].join("\n");
    const { chains, rules } = parseRules(saved);
    expect([...chains.nat]).toEqual([
      ["PREROUTING", "ACCEPT"],
      ["BUNKER-DNAT", "-"],
    ]);
    expect(rules.nat).toEqual([
      "PREROUTING -m addrtype --dst-type LOCAL -m comment --comment bunker:bunker0 -j BUNKER-DNAT",
    ]);
    expect([rules.raw, rules.filter]).toEqual([[], []]);
  });

  test("has jumps set once, at the top", () => {
    const forward = "FORWARD -m comment --comment bunker:bunker0 -j BUNKER-FWD";
    const [narrow, wide] = ["PREROUTING -d 127.0.0.0/8 -j BUNKER-RAW", "PREROUTING -j BUNKER-RAW"];
    const set = (jump: string) => jump.replace(" ", " 1 ");
    expect(setJumps([forward], [forward, "FORWARD -j OTHER", "BUNKER-X -j BUNKER-FWD"])).toEqual([]);
    expect(setJumps([forward], [])).toEqual([`-I ${set(forward)}`]);
    expect(setJumps([forward], [forward, forward])).toEqual([
      `-D ${forward}`,
      `-D ${forward}`,
      `-I ${set(forward)}`,
    ]);
    expect(setJumps([narrow, forward], [wide, forward])).toEqual([`-D ${wide}`, `-I ${set(narrow)}`]);
    expect(setJumps([narrow, wide], ["PREROUTING -j OTHER", narrow, wide])).toEqual([]);
    expect(setJumps([narrow, wide], [wide, narrow])).toEqual([
      `-D ${wide}`,
      `-D ${narrow}`,
      `-I ${set(wide)}`,
      `-I ${set(narrow)}`,
    ]);
  });
});
