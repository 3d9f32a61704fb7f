import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";
import { command } from "../fixtures/own-network.ts";

let part: HostPart;

beforeAll(async () => {
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

/** No other daemon's, and no other test's. */
const linkName = (number: number) => `btn${process.pid % 100_000}x${number}`;
const daemon = () => part.daemon;

interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly EnableIPv6: boolean;
  readonly Internal: boolean;
  readonly Driver: string;
  readonly ConfigOnly: boolean;
  readonly ConfigFrom: { readonly Network: string };
  readonly Labels: Record<string, string>;
  readonly Options: Record<string, string>;
  readonly IPAM: { readonly Driver: string; readonly Config: readonly Record<string, unknown>[] };
  readonly Containers: Record<string, { readonly IPv4Address: string; readonly IPv6Address: string }>;
}

const inspect = (name: string) => daemon().json<Inspected>(`/networks/${name}`);

interface HostLink {
  readonly mtu: number;
  readonly operstate: string;
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number }[];
}

async function hostLink(name: string): Promise<HostLink | undefined> {
  const found = await command("ip", "-json", "address", "show", "dev", name).catch(() => "[]");
  return (JSON.parse(found) as HostLink[])[0];
}

const addressesOf = (link: HostLink | undefined) =>
  (link?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`);

async function refusal(method: string, path: string, body?: unknown): Promise<[number, string]> {
  const reply = await daemon().request(method, path, body);
  return [reply.status, ((await reply.json()) as { message: string }).message];
}

describe("network create", () => {
  test("--config-only keeps options for networks made --config-from it, and is no network of its own", async () => {
    const bunker = daemon();
    await bunker.ok("network", "create", "--config-only", "--subnet=10.124.0.0/24", "--label=a=1", "base");
    expect(await inspect("base")).toMatchObject({ Driver: "null", ConfigOnly: true, Labels: { a: "1" } });
    const refused = await bunker.cli("run", "--rm", "--network", "base", "busybox", "true");
    expect([refused.code, refused.stderr]).toEqual([125, expect.stringContaining("cannot use network base")]);
    await bunker.ok("network", "create", "--config-from=base", "made");
    const made = await inspect("made");
    expect(made).toMatchObject({ Driver: "bridge", ConfigFrom: { Network: "base" }, Labels: { a: "1" } });
    expect(made.IPAM.Config[0]?.Subnet).toBe("10.124.0.0/24");
    const inside = ["run", "--rm", "--network=made", "busybox", "ip", "address", "show", "dev", "eth0"];
    expect(await bunker.ok(...inside)).toContain("inet 10.124.0.2/24");
    const used = await bunker.cli("network", "rm", "base");
    expect([used.code, used.stderr]).toEqual([1, expect.stringContaining('"base" is in use by made')]);
    await bunker.kill();
    await bunker.start();
    expect(await bunker.ok(...inside)).toContain("inet 10.124.0.");
    await bunker.ok("network", "rm", "made", "base");
  });

  test("with every option makes that bridge, gives those addresses, and leaves nothing", async () => {
    const link = linkName(1);
    const flags = [
      "--subnet=10.123.0.0/24",
      "--gateway=10.123.0.254",
      "--ip-range=10.123.0.128/30",
      "--aux-address=router=10.123.0.129",
      "--label=tier=web",
      "--attachable",
      `--opt=com.docker.network.bridge.name=${link}`,
      "--opt=com.docker.network.driver.mtu=1400",
    ];
    const id = await daemon().ok("network", "create", ...flags, "front");
    expect(await inspect("front")).toMatchObject({
      Id: id,
      Labels: { tier: "web" },
      IPAM: {
        Driver: "default",
        Config: [
          {
            Subnet: "10.123.0.0/24",
            Gateway: "10.123.0.254",
            IPRange: "10.123.0.128/30",
            AuxiliaryAddresses: { router: "10.123.0.129" },
          },
        ],
      },
    });
    const there = await hostLink(link);
    expect([there?.mtu, addressesOf(there)]).toEqual([1400, ["10.123.0.254/24"]]);
    const run = (...words: string[]) =>
      daemon().ok("run", "-d", "--network", "front", ...words, "busybox", "sleep", "600");
    const first = await run();
    const second = await run();
    const given = Object.values((await inspect("front")).Containers).map((one) => one.IPv4Address);
    expect(given.sort()).toEqual(["10.123.0.128/24", "10.123.0.130/24"]);
    const inside = await daemon().ok("exec", first, "ip", "address", "show", "dev", "eth0");
    expect(inside).toMatch(/mtu 1400/);
    expect(await daemon().ok("exec", first, "ip", "route")).toContain("default via 10.123.0.254 dev eth0");
    await daemon().ok("rm", "-f", first, second);
    await daemon().ok("network", "rm", "front");
    expect(await hostLink(link)).toBeUndefined();
  });

  test("of both families gives an address of each, and of IPv6 alone one", async () => {
    await daemon().ok(
      "network",
      "create",
      "--ipv6",
      "--subnet=10.124.0.0/24",
      "--subnet=fd12:4::/64",
      "dual",
    );
    const flags = [
      "--network",
      "dual",
      "--ip",
      "10.124.0.77",
      "--ip6",
      "fd12:4::77",
      "--mac-address",
      "02:00:00:00:00:77",
    ];
    const shown = await daemon().ok(
      "run",
      "--rm",
      ...flags,
      "busybox",
      "ip",
      "address",
      "show",
      "dev",
      "eth0",
    );
    expect(shown).toContain("10.124.0.77/24");
    expect(shown).toContain("fd12:4::77/64");
    expect(shown).toContain("02:00:00:00:00:77");
    await daemon().ok("network", "create", "--ipv6", "unique");
    const pools = (await inspect("unique")).IPAM.Config.map(({ Subnet }) => Subnet);
    expect(pools).toEqual([
      expect.stringMatching(/^172\./),
      expect.stringMatching(/^fd[0-9a-f]{2}:.*::\/64$/),
    ]);
    await daemon().ok("network", "create", "--ipv4=false", "--ipv6", "six");
    const route = await daemon().ok("run", "--rm", "--network", "six", "busybox", "ip", "-6", "route");
    expect(route).toContain("default via fd");
    await daemon().ok("network", "rm", "dual", "unique", "six");
  });

  test("names containers are found by are known to each other, and to no other network", async () => {
    await daemon().ok("network", "create", "names");
    await daemon().ok("network", "create", "others");
    const serve = "mkdir /w; echo served > /w/index.html; exec httpd -f -p 80 -h /w";
    await daemon().ok(
      "run",
      "-d",
      "--name",
      "web",
      "--network",
      "names",
      "--network-alias",
      "www",
      "busybox",
      "sh",
      "-c",
      serve,
    );
    const fetched = ["run", "--rm", "--network", "names", "busybox", "wget", "-qO-"];
    expect(await daemon().ok(...fetched, "http://web/")).toBe("served");
    expect(await daemon().ok(...fetched, "http://www.names/")).toBe("served");
    await daemon().ok("rename", "web", "shop");
    expect(await daemon().ok(...fetched, "http://shop/")).toBe("served");
    const elsewhere = await daemon().cli(
      "run",
      "--rm",
      "--network",
      "others",
      "busybox",
      "wget",
      "-T",
      "2",
      "-qO-",
      "http://www/",
    );
    expect(elsewhere.code).not.toBe(0);
    await daemon().ok("rm", "-f", "shop");
    await daemon().ok("network", "rm", "names", "others");
  });

  const create = (body: object) => refusal("POST", "/networks/create", { Driver: "bridge", ...body });
  const pool = (Subnet: string, more = {}) => ({ IPAM: { Config: [{ Subnet, ...more }] } });

  test.each<[string, object, number, RegExp]>([
    [
      "an overlap",
      { Name: "b", ...pool("10.125.0.0/16") },
      409,
      /Pool overlaps with other one on this address space.*network a$/,
    ],
    ["a name taken", { Name: "a" }, 409, /network with name a already exists/],
    ["a predefined name", { Name: "host" }, 403, /predefined host network/],
    ["a bad name", { Name: "a/b" }, 400, /network name/],
    ["an unknown driver", { Name: "c", Driver: "nothing" }, 404, /plugin/],
    ["a second host network", { Name: "c", Driver: "host" }, 403, /only one instance of "host" network/],
    [
      "a gateway outside",
      { Name: "c", ...pool("10.126.0.0/24", { Gateway: "10.127.0.1" }) },
      400,
      /gateway 10\.127\.0\.1/,
    ],
    ["a range outside", { Name: "c", ...pool("10.126.0.0/24", { IPRange: "10.127.0.0/25" }) }, 400, /range/],
    ["a subnet that is none", { Name: "c", ...pool("10.126.0.0/64") }, 400, /10\.126\.0\.0\/64/],
    ["an unknown IPAM driver", { Name: "c", IPAM: { Driver: "nobody" } }, 404, /IPAM driver nobody/],
    ["no family at all", { Name: "c", EnableIPv4: false }, 400, /IPv4 or IPv6 must be enabled/],
  ])("refuses %s, and nothing is left", async (_title, body, status, words) => {
    await daemon().ok("network", "create", "--subnet", "10.125.0.0/24", "a");
    const links = await command("ip", "-brief", "link");
    const names = await daemon().ok("network", "ls", "--format", "{{.Name}}");
    const [code, message] = await create(body);
    expect([code, message]).toEqual([status, expect.stringMatching(words)]);
    expect(await command("ip", "-brief", "link")).toBe(links);
    expect(await daemon().ok("network", "ls", "--format", "{{.Name}}")).toBe(names);
    await daemon().ok("network", "rm", "a");
  });
});

describe("addresses", () => {
  test("that cannot be had are refused, and are free again afterwards", async () => {
    await daemon().ok("network", "create", "--subnet", "10.128.0.0/24", "fixed");
    await daemon().ok("network", "create", "loose");
    const run = (network: string, ip: string, ...more: string[]) =>
      daemon().cli("run", "-d", "--network", network, "--ip", ip, ...more, "busybox", "sleep", "600");
    const first = await run("fixed", "10.128.0.9", "--name", "first");
    expect(first.code).toBe(0);
    expect((await run("fixed", "10.128.0.9", "--name", "second")).stderr).toContain("Address already in use");
    expect((await run("fixed", "10.129.0.9", "--name", "third")).stderr).toContain(
      "no configured subnet contains",
    );
    expect((await run("loose", "10.129.0.9")).stderr).toContain("networks with user configured subnets");
    expect((await run("bridge", "172.17.0.9")).stderr).toContain("user defined networks only");
    await daemon().ok("rm", "-f", "first", "third");
    await daemon().ok("start", "second");
    await daemon().ok("rm", "-f", "second");
    await daemon().ok("network", "rm", "fixed", "loose");
  });
});

describe("network rm and prune", () => {
  test("leave what is in use, and what is the daemon's own", async () => {
    await daemon().ok("network", "create", "busy");
    await daemon().ok("network", "create", "--label", "a=b", "idle");
    const { Id } = await inspect("busy");
    await daemon().ok("run", "-d", "--name", "user", "--network", "busy", "busybox", "sleep", "600");
    expect(await refusal("DELETE", "/networks/busy")).toEqual([
      403,
      expect.stringContaining(`error while removing network: network busy id ${Id} has active endpoints`),
    ]);
    expect((await refusal("DELETE", "/networks/bridge"))[0]).toBe(403);
    expect(await daemon().ok("network", "ls", "-q", "--no-trunc", "--filter", "dangling=true")).toBe(
      (await inspect("idle")).Id,
    );
    expect(await daemon().ok("network", "prune", "-f")).toContain("idle");
    expect(await daemon().ok("network", "ls", "--filter", "type=custom", "--format", "{{.Name}}")).toBe(
      "busy",
    );
    await daemon().ok("rm", "-f", "user");
    await daemon().ok("network", "rm", "busy");
  });
});
