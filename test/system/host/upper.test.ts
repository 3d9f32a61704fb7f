import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { BareNamespace, knowsKind, must } from "../../fixtures/bare-namespace.ts";
import { HostPart, PATIENCE, until } from "../../fixtures/host-part.ts";

setDefaultTimeout(PATIENCE);
/** A link of this host, and its other end at a neighbour, who is 192.0.2.254 and fd00:2::fe. */
const PARENT = "bup0";
const SUBNET = ["--subnet", "192.0.2.0/24", "--gateway", "192.0.2.254"];

let part: HostPart;
let neighbour: BareNamespace;

beforeAll(async () => {
  neighbour = await BareNamespace.make();
  await must(
    "ip",
    "link",
    "add",
    PARENT,
    "type",
    "veth",
    "peer",
    "name",
    "n0",
    "netns",
    String(neighbour.pid),
  );
  await must("ip", "link", "set", PARENT, "up");
  await neighbour.run("ip", "addr", "add", "192.0.2.254/24", "dev", "n0");
  await neighbour.run("ip", "addr", "add", "fd00:2::fe/64", "dev", "n0", "nodad");
  await neighbour.run("ip", "link", "set", "n0", "up");
  part = await HostPart.open("busybox");
}, PATIENCE);

afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await must("ip", "link", "delete", PARENT);
  await neighbour?.[Symbol.asyncDispose]();
}, PATIENCE);

async function create(name: string, ...words: readonly string[]) {
  return part.daemon.cli("network", "create", ...words, name);
}

async function up(name: string, network: string, ...words: readonly string[]): Promise<void> {
  await part.daemon.ok(
    "run",
    "-d",
    "--name",
    name,
    "--network",
    network,
    ...words,
    "busybox",
    "sleep",
    "600",
  );
}

const ping = (from: string, to: string) => part.daemon.cli("exec", from, "ping", "-c", "1", "-W", "2", to);
const linkNames = async () => (await must("ip", "-o", "link")).matchAll(/^\d+: ([^:@]+)/gm);
const hasLink = async (name: string) => [...(await linkNames())].some(([, one]) => one === name);

const macvlan = await knowsKind("macvlan");
const vlan = await knowsKind("vlan");
const dummy = await knowsKind("dummy");

describe.skipIf(!macvlan)(macvlan ? "macvlan" : "macvlan (skipped: this kernel has none)", () => {
  test("containers are the neighbours of the host's neighbours, and of each other by name", async () => {
    expect(await create("wire", "-d", "macvlan", ...SUBNET, "-o", `parent=${PARENT}`)).toMatchObject({
      code: 0,
    });
    await up("one", "wire", "-p", "8199:80");
    await up("two", "wire", "--ip", "192.0.2.77");
    expect((await ping("one", "192.0.2.254")).code).toBe(0);
    expect((await ping("one", "two")).code).toBe(0);
    expect(await part.daemon.ok("inspect", "-f", "{{.NetworkSettings.Networks.wire.IPAddress}}", "two")).toBe(
      "192.0.2.77",
    );
    const route = await part.daemon.ok("exec", "one", "ip", "route");
    expect(route).toContain("default via 192.0.2.254 dev eth0");
    const mac = await part.daemon.ok("inspect", "-f", "{{.NetworkSettings.Networks.wire.MacAddress}}", "two");
    expect(await part.daemon.ok("exec", "two", "cat", "/sys/class/net/eth0/address")).toBe(mac);
  });

  test("containers go on through a crash of the daemon, and can leave and come back while they run", async () => {
    await part.daemon.kill();
    await part.daemon.start();
    expect((await ping("two", "192.0.2.254")).code).toBe(0);
    await part.daemon.ok("network", "disconnect", "wire", "two");
    expect((await ping("one", "192.0.2.77")).code).not.toBe(0);
    await part.daemon.ok("network", "connect", "--ip", "192.0.2.78", "wire", "two");
    expect((await ping("two", "192.0.2.254")).code).toBe(0);
    await part.daemon.ok("rm", "-f", "one", "two");
    await part.daemon.ok("network", "rm", "wire");
    expect(await hasLink(PARENT)).toBe(true);
  });

  test("with IPv6 they reach the neighbour so as well", async () => {
    const v6 = ["--ipv6", "--subnet", "fd00:2::/64"];
    expect(await create("six", "-d", "macvlan", ...SUBNET, ...v6, "-o", `parent=${PARENT}`)).toMatchObject({
      code: 0,
    });
    await up("one", "six");
    expect((await ping("one", "fd00:2::fe")).code).toBe(0);
    await part.daemon.ok("rm", "-f", "one");
    await part.daemon.ok("network", "rm", "six");
  });

  test("of mode private do not reach each other, though they do the neighbour", async () => {
    const options = ["-o", `parent=${PARENT}`, "-o", "macvlan_mode=private"];
    expect(await create("apart", "-d", "macvlan", ...SUBNET, ...options)).toMatchObject({ code: 0 });
    await up("one", "apart");
    await up("two", "apart", "--ip", "192.0.2.77");
    expect((await ping("one", "192.0.2.254")).code).toBe(0);
    expect((await ping("one", "192.0.2.77")).code).not.toBe(0);
    await part.daemon.ok("rm", "-f", "one", "two");
    await part.daemon.ok("network", "rm", "apart");
  });

  test("an internal network has no way out", async () => {
    expect(
      await create("in", "-d", "macvlan", "--internal", ...SUBNET, "-o", `parent=${PARENT}`),
    ).toMatchObject({
      code: 0,
    });
    await up("one", "in");
    expect(await part.daemon.ok("exec", "one", "ip", "route")).not.toContain("default");
    await part.daemon.ok("rm", "-f", "one");
    await part.daemon.ok("network", "rm", "in");
  });

  test.each([
    [["-o", "parent=nosuch0"], /-o parent interface was not found on the host: nosuch0/],
    [["-o", "parent=nosuch0.10"], /-o parent interface was not found on the host: nosuch0/],
    [["-o", `parent=${PARENT}.5000`], /vlan id must be between 1-4094, received: 5000/],
    [["-o", "parent=lo"], /loopback interface is not a valid macvlan parent link/],
    [["-o", `parent=${PARENT}`, "-o", "macvlan_mode=l2"], /requested macvlan mode 'l2' is not valid/],
    [["-o", `parent=${PARENT}`, "-o", "speed=high"], /Cannot use the option speed/],
  ])("%j is refused, and leaves nothing", async (words, said) => {
    const { code, stderr } = await create("wrong", "-d", "macvlan", ...SUBNET, ...words);
    expect([code, stderr]).toEqual([1, expect.stringMatching(said)]);
    expect(await part.daemon.ok("network", "ls", "-q", "--filter", "name=wrong")).toBe("");
  });

  test("mode passthru takes the whole link", async () => {
    await create(
      "whole",
      "-d",
      "macvlan",
      ...SUBNET,
      "-o",
      `parent=${PARENT}`,
      "-o",
      "macvlan_mode=passthru",
    );
    const { stderr } = await create(
      "more",
      "-d",
      "macvlan",
      "--subnet",
      "198.51.100.0/24",
      "-o",
      `parent=${PARENT}`,
    );
    expect(stderr).toContain(`network whole is already using parent interface ${PARENT}`);
    await up("one", "whole");
    expect((await ping("one", "192.0.2.254")).code).toBe(0);
    await part.daemon.ok("rm", "-f", "one");
    await part.daemon.ok("network", "rm", "whole");
  });

  test.skipIf(!vlan)(
    vlan
      ? "a VLAN's link is made for it, shared, and removed with the last network"
      : "a VLAN's link (skipped: no 802.1q)",
    async () => {
      await neighbour.run("ip", "link", "add", "link", "n0", "name", "n0.7", "type", "vlan", "id", "7");
      await neighbour.run("ip", "addr", "add", "198.51.100.254/24", "dev", "n0.7");
      await neighbour.run("ip", "link", "set", "n0.7", "up");
      const words = ["-d", "macvlan", "-o", `parent=${PARENT}.7`, "--subnet"];
      expect(await create("tagged", ...words, "198.51.100.0/24")).toMatchObject({ code: 0 });
      expect(await create("more", ...words, "203.0.113.0/24")).toMatchObject({ code: 0 });
      await up("one", "tagged");
      expect((await ping("one", "198.51.100.254")).code).toBe(0);
      await part.daemon.ok("rm", "-f", "one");
      await part.daemon.ok("network", "rm", "tagged");
      expect(await hasLink(`${PARENT}.7`)).toBe(true);
      await part.daemon.ok("network", "rm", "more");
      expect(await hasLink(`${PARENT}.7`)).toBe(false);
    },
    PATIENCE,
  );
  if (!vlan)
    test("without 802.1q in the kernel a VLAN is refused", async () => {
      const { stderr } = await create("tagged", "-d", "macvlan", ...SUBNET, "-o", `parent=${PARENT}.7`);
      expect(stderr).toContain("this kernel has no vlan links");
    });

  test.skipIf(!dummy)(
    dummy ? "without a parent its containers have each other" : "without a parent (skipped: no dummy links)",
    async () => {
      expect(await create("alone", "-d", "macvlan", ...SUBNET)).toMatchObject({ code: 0 });
      await up("one", "alone");
      await up("two", "alone");
      expect((await ping("one", "two")).code).toBe(0);
      await part.daemon.ok("rm", "-f", "one", "two");
      const id = await part.daemon.ok("network", "inspect", "-f", "{{.Id}}", "alone");
      expect(await hasLink(`dm-${id.slice(0, 12)}`)).toBe(true);
      await part.daemon.ok("network", "rm", "alone");
      expect(await hasLink(`dm-${id.slice(0, 12)}`)).toBe(false);
    },
    PATIENCE,
  );
});

const ipvlan = await knowsKind("ipvlan");

describe.skipIf(!ipvlan)(ipvlan ? "ipvlan" : "ipvlan (skipped: this kernel has none)", () => {
  test.each([
    ["l2", "bridge", true],
    ["l2", "private", false],
    ["l3", "bridge", true],
    ["l3s", "bridge", true],
  ])(
    "mode %s with flag %s",
    async (mode, flag, isOpen) => {
      const options = ["-o", `parent=${PARENT}`, "-o", `ipvlan_mode=${mode}`, "-o", `ipvlan_flag=${flag}`];
      expect(await create("ip", "-d", "ipvlan", ...SUBNET, ...options)).toMatchObject({ code: 0 });
      await up("one", "ip");
      await up("two", "ip", "--ip", "192.0.2.77");
      expect((await ping("one", "192.0.2.77")).code === 0).toBe(isOpen);
      const routes = await part.daemon.ok("exec", "one", "ip", "route");
      expect(routes).toContain(mode === "l2" ? "default via 192.0.2.254" : "default dev eth0");
      if (mode === "l2") expect((await ping("one", "192.0.2.254")).code).toBe(0);
      await part.daemon.ok("rm", "-f", "one", "two");
      await part.daemon.ok("network", "rm", "ip");
    },
    PATIENCE,
  );

  test("networks of one link have one mode", async () => {
    await create("ip", "-d", "ipvlan", ...SUBNET, "-o", `parent=${PARENT}`, "-o", "ipvlan_mode=l3");
    const other = ["--subnet", "198.51.100.0/24", "-o", `parent=${PARENT}`];
    const { stderr } = await create("other", "-d", "ipvlan", ...other);
    expect(stderr).toContain("all ipvlan networks of a link have one mode");
    expect((await create("other", "-d", "macvlan", ...other)).stderr).toContain("either macvlan or ipvlan");
    await part.daemon.ok("network", "rm", "ip");
  });
});

if (!ipvlan)
  test("without ipvlan in the kernel such a network is refused", async () => {
    const { code, stderr } = await create("ip", "-d", "ipvlan", ...SUBNET, "-o", `parent=${PARENT}`);
    expect([code, stderr]).toEqual([1, expect.stringContaining("this kernel has no ipvlan links")]);
  });

test("all has gone with the networks", async () => {
  await until(
    async () => [...(await linkNames())].map(([, name]) => name ?? ""),
    (names) => !names.some((name) => /^(dm-|eth)/.test(name)),
  );
});
