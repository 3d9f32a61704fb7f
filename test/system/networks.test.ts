import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { FakeRegistry } from "../fakes/registry.ts";
import { TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage } from "../fixtures/index.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
let fake: FakeRegistry;
let daemon: TestDaemon;

interface Inspect {
  readonly Id: string;
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
}

beforeAll(async () => {
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({
    args: [
      ...["--registry-mirror", fake.url],
      ...["--default-address-pool", "base=10.80.0.0/22,size=24"],
      ...["--default-address-pool", "base=fd80::/48,size=64"],
      "--default-network-opt=bridge=com.docker.network.driver.mtu=1400",
    ],
  });
  await daemon.ok("pull", "-q", "busybox");
}, 5 * MINUTE);

afterEach(async () => {
  const ids = (await daemon.ok("ps", "-aq")).split("\n").filter(Boolean);
  if (ids.length > 0) await daemon.ok("rm", "-f", "-v", ...ids);
  await daemon.ok("network", "prune", "-f");
}, MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

const sleeper = (name: string, ...flags: readonly string[]) =>
  daemon.ok("run", "-d", "--name", name, ...flags, "busybox", "sleep", "600");
const ask = (...words: readonly string[]) => daemon.ok("run", "--rm", ...words);
const subnetsOf = async (name: string) =>
  JSON.parse(await daemon.ok("network", "inspect", "-f", "{{json .IPAM.Config}}", name)) as {
    Subnet: string;
    Gateway?: string;
  }[];

describe("networks of one's own", () => {
  test(
    "get subnets of the daemon's pools, the one used last again last, and options of the daemon",
    async () => {
      await daemon.ok("network", "create", "one");
      await daemon.ok("network", "create", "two");
      const [first, second] = [await subnetsOf("one"), await subnetsOf("two")];
      for (const config of [first, second]) expect(config[0]?.Subnet).toMatch(/^10\.80\.[0-3]\.0\/24$/);
      expect(first[0]?.Subnet).not.toBe(second[0]?.Subnet);
      await daemon.ok("network", "rm", "one");
      await daemon.ok("network", "create", "three");
      expect((await subnetsOf("three"))[0]?.Subnet).not.toBe(first[0]?.Subnet);
      expect(await ask("--network", "two", "busybox", "cat", "/sys/class/net/eth0/mtu")).toBe("1400");
      const options = await daemon.ok("network", "inspect", "-f", "{{json .Options}}", "two");
      expect(JSON.parse(options)).toMatchObject({ "com.docker.network.driver.mtu": "1400" });
    },
    MINUTE,
  );

  test(
    "have IPv6 beside IPv4 or alone, from a pool or as asked",
    async () => {
      await daemon.ok("network", "create", "--ipv6", "dual");
      const dual = await subnetsOf("dual");
      expect(dual.map(({ Subnet }) => Subnet)).toEqual([
        expect.stringMatching(/^10\.80\./),
        expect.stringMatching(/^fd80:/),
      ]);
      const shown = await ask("--network", "dual", "busybox", "ip", "-o", "address", "show", "eth0");
      expect(shown).toMatch(/inet 10\.80\.[\s\S]*inet6 fd80:/);
      await daemon.ok("network", "create", "--ipv6", "--ipv4=false", "--subnet", "fd81::/64", "six");
      await sleeper("alone", "--network", "six", "--ip6", "fd81::9");
      expect(await daemon.ok("exec", "alone", "ip", "-o", "address", "show", "eth0")).not.toContain(
        "inet 10.",
      );
      expect(await ask("--network", "six", "busybox", "ping", "-c1", "-W5", "fd81::9")).toContain(
        "1 packets received",
      );
    },
    MINUTE,
  );

  test(
    "an alias of several containers is all of them; DNSNames say what a container answers to",
    async () => {
      await daemon.ok("network", "create", "front");
      await sleeper("left", "--network", "name=front,alias=shop");
      const right = await sleeper(
        "right",
        "--network",
        "front",
        "--network-alias",
        "shop",
        "--hostname",
        "hr",
      );
      const [{ NetworkSettings } = {} as Inspect] = JSON.parse(
        await daemon.ok("inspect", "right"),
      ) as Inspect[];
      expect(NetworkSettings.Networks.front).toMatchObject({
        Aliases: ["shop"],
        DNSNames: ["right", "shop", right.slice(0, 12), "hr"],
      });
      const addresses = await Promise.all(
        ["left", "right"].map((name) =>
          daemon.ok("inspect", "-f", "{{.NetworkSettings.Networks.front.IPAddress}}", name),
        ),
      );
      const found = await ask("--network", "front", "busybox", "nslookup", "shop.");
      for (const address of addresses) expect(found).toContain(address);
    },
    MINUTE,
  );

  test(
    "are listed with running containers only, and kept by those that rest",
    async () => {
      await daemon.ok("network", "create", "front");
      const id = await sleeper("web", "--network", "front");
      const containers = async () =>
        Object.keys(JSON.parse(await daemon.ok("network", "inspect", "-f", "{{json .Containers}}", "front")));
      expect(await containers()).toEqual([id]);
      await daemon.ok("stop", "-t", "0", "web");
      expect(await containers()).toEqual([]);
      expect(await daemon.ok("ps", "-a", "--filter", "network=front", "--format", "{{.Names}}")).toBe("web");
      await daemon.ok("start", "web");
      expect(await containers()).toEqual([id]);
    },
    MINUTE,
  );

  test(
    "are refused a name or a subnet that is taken, and what is not theirs to remove",
    async () => {
      await daemon.ok("network", "create", "--subnet", "10.90.0.0/16", "front");
      const post = (body: object) => daemon.request("POST", "/networks/create", body);
      const again = await post({ Name: "front" });
      expect([again.status, await again.json()]).toEqual([
        409,
        { message: "network with name front already exists" },
      ]);
      const overlap = await post({ Name: "x", IPAM: { Config: [{ Subnet: "10.90.5.0/24" }] } });
      expect(overlap.ok).toBe(false);
      expect(((await overlap.json()) as { message: string }).message).toContain(
        "Pool overlaps with other one on this address space",
      );
      await sleeper("web", "--network", "front");
      expect((await daemon.request("DELETE", "/networks/front")).status).toBe(403);
      expect((await daemon.request("DELETE", "/networks/bridge")).status).toBe(403);
      expect((await daemon.request("DELETE", "/networks/nosuch")).status).toBe(404);
    },
    MINUTE,
  );

  test(
    "are pruned by label and age; one that a container runs on stays",
    async () => {
      await daemon.ok("network", "create", "--label", "keep", "kept");
      await daemon.ok("network", "create", "idle");
      await daemon.ok("network", "create", "used");
      await sleeper("web", "--network", "used");
      const prune = (filter: string) => daemon.ok("network", "prune", "-f", "--filter", filter);
      expect(await prune("until=24h")).toBe("");
      expect(await prune("label!=keep")).toBe("Deleted Networks:\nidle");
      expect(await prune("label=keep")).toBe("Deleted Networks:\nkept");
    },
    MINUTE,
  );

  test(
    "the default route goes by gw-priority",
    async () => {
      await daemon.ok("network", "create", "--subnet", "10.91.0.0/24", "aaa");
      await daemon.ok("network", "create", "--subnet", "10.92.0.0/24", "bbb");
      await sleeper("web", "--network", "aaa", "--network", "name=bbb,gw-priority=5");
      const route = () => daemon.ok("exec", "web", "ip", "route", "show", "default");
      expect(await route()).toContain("via 10.92.0.1");
      await daemon.ok("network", "disconnect", "bbb", "web");
      expect(await route()).toContain("via 10.91.0.1");
      await daemon.ok("network", "connect", "--gw-priority", "-1", "bbb", "web");
      expect(await route()).toContain("via 10.91.0.1");
    },
    MINUTE,
  );
});

test(
  "a link on the default bridge is a line in hosts and variables of the other's ports and environment",
  async () => {
    await sleeper("store", "--expose", "5432", "-e", "WORD=secret");
    const address = await daemon.ok(
      "inspect",
      "-f",
      "{{.NetworkSettings.Networks.bridge.IPAddress}}",
      "store",
    );
    await sleeper("web", "--link", "store:db");
    expect(await daemon.ok("exec", "web", "cat", "/etc/hosts")).toMatch(
      new RegExp(`^${address.replaceAll(".", "\\.")}\\s+db `, "m"),
    );
    const variables = (await daemon.ok("exec", "web", "env")).split("\n");
    expect(variables).toContain(`DB_PORT_5432_TCP_ADDR=${address}`);
    expect(variables).toContain("DB_ENV_WORD=secret");
    expect(await daemon.ok("inspect", "-f", "{{json .HostConfig.Links}}", "web")).toBe('["/store:/web/db"]');
  },
  MINUTE,
);

test(
  "bunker ports says who holds each port and who can reach it",
  async () => {
    await daemon.ok("network", "create", "front");
    await sleeper("web", "--network", "front", "-p", "127.0.0.1:8061:80", "-p", "8062:81/udp");
    const address = await daemon.ok("inspect", "-f", "{{.NetworkSettings.Networks.front.IPAddress}}", "web");
    const rows = (
      await daemon.ok("ports", "--format", "{{.Port}} {{.Proto}} {{.Container}} {{.To}} {{.Network}}")
    ).split("\n");
    expect(rows).toContain(`127.0.0.1:8061 tcp web ${address}:80 front`);
    expect(rows).toContain(`0.0.0.0:8062 udp web ${address}:81 front`);
    const reach = await daemon.ok("ports", "--format", "{{.Port}} {{.ReachableFrom}}");
    expect(reach).toMatch(/^127\.0\.0\.1:8061 this host only$/m);
    expect(await daemon.ok("ports")).toMatch(
      /^PORT +PROTO +CONTAINER +TO +NETWORK +CARRIED BY +REACHABLE FROM\n/,
    );
  },
  MINUTE,
);

test(
  "bunker network doctor speaks of forwarding and of the firewall, and nothing is broken here",
  async () => {
    const { code, stdout } = await daemon.cli("network", "doctor", "--format", "{{.Verdict}} {{.Subject}}");
    const lines = stdout.trim().split("\n");
    expect(lines.filter((line) => line.startsWith("broken"))).toEqual([]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/forward/i);
    expect(stdout).toMatch(/firewall|chain|nft|iptables/i);
  },
  MINUTE,
);
