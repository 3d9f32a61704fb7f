import { describe, expect, test } from "bun:test";
import { parsePolicies, parseStates, rulesFor } from "../../../../src/network/drivers/overlay/encryption.ts";
import {
  checkOptions,
  chooseVni,
  isEncrypted,
  mtuOf,
  portOf,
  vniOf,
} from "../../../../src/network/drivers/overlay/options.ts";
import {
  derive,
  firstSecrets,
  ROTATION_MILLISECONDS,
  rotated,
  secretInUse,
} from "../../../../src/network/drivers/overlay/secrets.ts";

const VNI = "com.docker.network.driver.overlay.vxlanid_list";
const MTU = "com.docker.network.driver.mtu";
const wire = (mtu: number, family: 4 | 6 = 4) => ({ mtu, family });

describe("options", () => {
  test.each<Record<string, string>>([
    {},
    { encrypted: "" },
    { encrypted: "true" },
    { [VNI]: "4097", [MTU]: "1300" },
  ])("%j can be", (options) => {
    expect(() => checkOptions({ options })).not.toThrow();
  });

  test.each([
    [{ encrypted: "very" }, /encrypted=very/],
    [{ [VNI]: "1,2" }, /one VXLAN id/],
    [{ [VNI]: "0" }, /one VXLAN id/],
    [{ [VNI]: "16777216" }, /one VXLAN id/],
    [{ [MTU]: "12" }, /68 to 65535/],
    [{ parent: "eth0" }, /Cannot use the option parent/],
  ])("%j cannot", (options, words) => {
    expect(() => checkOptions({ options: options as Record<string, string> })).toThrow(words);
  });

  test.each([
    [{}, false, 4789],
    [{ encrypted: "" }, true, 4790],
    [{ encrypted: "true" }, true, 4790],
    [{ encrypted: "false" }, false, 4789],
  ])("%j: encrypted %p, port %p", (options, encrypted, port) => {
    const network = { options: options as Record<string, string> };
    expect([isEncrypted(network), portOf(network)]).toEqual([encrypted, port]);
  });

  test("VXLAN ids are given from Docker's first on", () => {
    expect(vniOf({ options: {} })).toBeUndefined();
    expect([chooseVni(new Set()), chooseVni(new Set([4096, 4098]))]).toEqual([4096, 4097]);
  });

  test.each([
    [{}, wire(1500), 1450],
    [{}, wire(9000, 6), 8930],
    [{ encrypted: "" }, wire(1500), 1410],
    [{ [MTU]: "1200" }, wire(1500), 1200],
  ])("%j over %j leaves %p bytes", (options, underlay, mtu) => {
    expect(mtuOf({ options: options as Record<string, string> }, underlay)).toBe(mtu);
  });
});

describe("secrets", () => {
  const now = 1_000_000;
  const old = now + ROTATION_MILLISECONDS;

  test("are renewed when they are old: three are kept, and the one in use was known before", () => {
    const first = firstSecrets(now);
    expect(rotated(first, old - 1)).toBeUndefined();
    let secrets = first;
    const used = [secretInUse(secrets)];
    for (let turn = 1; turn <= 4; turn += 1) {
      const known = secrets.secrets;
      secrets = rotated(secrets, old * turn * 2) ?? secrets;
      expect(known).toContain(secretInUse(secrets));
      used.push(secretInUse(secrets));
    }
    expect(secrets.secrets).toHaveLength(3);
    expect(new Set(used).size).toBe(4);
  });

  test("no two directions, hosts or lives of a host have the same key", () => {
    const [a, b, reborn] = [
      { id: "a", nonce: "1" },
      { id: "b", nonce: "1" },
      { id: "a", nonce: "2" },
    ] as const;
    const pairs = [derive("00", a, b), derive("00", b, a), derive("00", reborn, b), derive("01", a, b)];
    expect(new Set(pairs.map(({ key }) => key)).size).toBe(4);
    expect(derive("00", a, b)).toEqual(pairs[0] as never);
    for (const { key, spi } of pairs) expect([key.length, spi >= 0x100]).toEqual([72, true]);
  });
});

describe("IPsec", () => {
  const self = { id: "a", nonce: "1", address: "10.0.0.1" };
  const other = { id: "b", nonce: "1", address: "10.0.0.2" };
  const secrets = { rotatedAt: 0, secrets: ["00", "01", "02"] };

  test("what two hosts agree on fits together: what one sends with the other understands", () => {
    const here = rulesFor({ self, others: [other], secrets });
    const there = rulesFor({ self: other, others: [self], secrets });
    const [sent, ...more] = [...here.states.keys()].filter((key) => key.startsWith("10.0.0.2 "));
    expect(more).toEqual([]);
    expect(there.states.get(sent ?? "")).toBe(here.states.get(sent ?? "") as never);
    expect([...there.states.keys()].filter((key) => key.startsWith("10.0.0.2 "))).toHaveLength(3);
  });

  test("without other hosts all that is plain is forbidden, in both directions", () => {
    const { states, policies } = rulesFor({ self, others: [], secrets });
    expect([...states]).toEqual([]);
    expect([...policies.values()].map((line) => /dir (\w+) action block/.exec(line)?.[1])).toEqual([
      "out",
      "in",
    ]);
  });

  test("what the kernel has is recognised, and nobody else's", () => {
    const { states, policies } = rulesFor({ self, others: [other], secrets });
    const [key = ""] = states.keys();
    const [to, spi] = key.split(" ");
    const printed = `src 10.0.0.2 dst ${to}
\tproto esp spi ${spi} reqid 1651863147 mode transport
\treplay-window 64 flag esn
src 10.0.0.2 dst ${to}
\tproto esp spi 0x00000123 reqid 7 mode tunnel
`;
    expect([...parseStates(printed).keys()]).toEqual([key]);
    const listed = `src 10.0.0.1/32 dst 10.0.0.2/32 proto udp dport 4790 
\tdir out priority 100 ptype main 
\ttmpl src 10.0.0.1 dst 10.0.0.2
src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 4790 
\tdir in action block priority 1000 ptype main 
src 10.0.0.1/32 dst 10.0.0.2/32 proto udp dport 4500 
\tdir out priority 100 ptype main 
`;
    const found = [...parsePolicies(listed).keys()];
    expect(found).toHaveLength(2);
    expect(found.every((one) => policies.has(one))).toBe(true);
  });
});
