import { describe, expect, test } from "bun:test";
import { type FirewallFacts, judge } from "../../../src/network/firewall/diagnose.ts";

const WELL: FirewallFacts = {
  settings: { iptables: true, ip6tables: true, publishMode: "forward", userlandProxy: true, ipForward: true },
  backend: "iptables-nft",
  missing: undefined,
  isIntact: true,
  forwarding: { 4: "1", 6: "1" },
  hasIpv6Networks: true,
  saved: "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -j BUNKER-FWD\nCOMMIT\n",
  forwardChain: "BUNKER-FWD",
  bridgeFilter: "0",
  reversePath: "1",
  defaultRoutes: 1,
  hasFirewalld: false,
};

describe("network doctor", () => {
  test("finds nothing on a host where all is well", () => {
    expect(judge(WELL).filter(({ verdict }) => verdict !== "good")).toEqual([]);
  });

  const cases: [string, Partial<FirewallFacts>, "broken" | "warning", string, RegExp][] = [
    [
      "no program",
      { missing: "iptables-restore is not installed on this host" },
      "broken",
      "firewall back-end",
      /Install iptables/,
    ],
    [
      "no rules wanted",
      { settings: { ...WELL.settings, iptables: false } },
      "warning",
      "firewall back-end",
      /iptables=false/,
    ],
    [
      "no forwarding",
      { forwarding: { 4: "0", 6: "1" } },
      "broken",
      "ip_forward",
      /sysctl -w net\.ipv4\.ip_forward=1/,
    ],
    [
      "no IPv6 forwarding",
      { forwarding: { 4: "1", 6: "0" } },
      "broken",
      "IPv6 forwarding",
      /conf\.all\.forwarding=1/,
    ],
    ["missing rules", { isIntact: false }, "broken", "rules", /log/],
    [
      "a drop before our jump",
      { saved: "*filter\n-A FORWARD -s 10.0.0.0/8 -j DROP\n-A FORWARD -j BUNKER-FWD\nCOMMIT\n" },
      "warning",
      "chain BUNKER-FWD",
      /iptables -D FORWARD -s 10\.0\.0\.0\/8 -j DROP/,
    ],
    [
      "a policy that nftables cannot lift",
      { backend: "nftables" },
      "broken",
      "FORWARD policy",
      /--firewall-backend iptables/,
    ],
    ["a strict path back", { defaultRoutes: 2 }, "warning", "rp_filter", /rp_filter=2/],
    [
      "ufw",
      { saved: `${WELL.saved}*filter\n:ufw-user-input - [0:0]\nCOMMIT\n` },
      "warning",
      "ufw",
      /--publish-mode input/,
    ],
    ["firewalld", { hasFirewalld: true }, "warning", "firewalld", /--zone=trusted/],
  ];
  for (const [title, change, verdict, subject, remedy] of cases)
    test(`finds ${title}, and says what to do`, () => {
      const [first, ...others] = judge({ ...WELL, ...change });
      expect(first).toMatchObject({ verdict, subject });
      expect(first?.remedy).toMatch(remedy);
      expect(others.every((one) => one.verdict === "good")).toBe(true);
    });

  test("leaves ufw alone where INPUT counts, and knows other engines", () => {
    const saved = "*filter\n:ufw-user-input - [0:0]\n:DOCKER-USER - [0:0]\nCOMMIT\n";
    const found = judge({ ...WELL, saved, settings: { ...WELL.settings, publishMode: "input" } });
    expect(found.some(({ subject }) => subject === "ufw")).toBe(false);
    expect(found.find(({ subject }) => subject === "other engines")?.sentence).toContain("Docker");
  });
});
