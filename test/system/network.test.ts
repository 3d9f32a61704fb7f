import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { GraphDB } from "#graphdb";
import { listLinks, Netlink } from "#host";
import {
  type BridgeSettings,
  bridgeNetwork,
  hostNetwork,
  type Networks,
  noNetwork,
  openNetworks,
  type PortRequest,
  type Sandbox,
  type SandboxRequest,
} from "#network";
import { IptablesBackend } from "../../src/network/iptables.ts";
import {
  call,
  callInVain,
  command,
  isInOwnNetwork,
  OtherNetwork,
  rerunInOwnNetwork,
} from "../fixtures/own-network.ts";

const LAUNCHER = resolve(import.meta.dir, "../../dist/launcher");
const isRoot = process.getuid?.() === 0;

const SETTINGS: BridgeSettings = {
  name: "bunker0",
  mtu: 1500,
  icc: true,
  ipForward: true,
  ipMasquerade: true,
  iptables: true,
  defaultAddress: "0.0.0.0",
  addressPools: [],
};

if (!isInOwnNetwork) {
  const title = "the network works in a namespace of its own";
  test.skipIf(!isRoot)(
    isRoot ? title : `${title} (skipped: needs root)`,
    async () => {
      const { code, report } = await rerunInOwnNetwork(import.meta.path);
      if (code !== 0) throw new Error(report);
    },
    300_000,
  );
} else describe("network", inside);

interface Started extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly network: OtherNetwork;
  readonly id: string;
  readonly address: string;
}

class Host implements AsyncDisposable {
  readonly directory: string;
  networks!: Networks;
  #database!: GraphDB;
  readonly #settings: BridgeSettings;

  private constructor(directory: string, settings: BridgeSettings) {
    this.directory = directory;
    this.#settings = settings;
  }

  static async start(settings: Partial<BridgeSettings> = {}): Promise<Host> {
    const directory = await mkdtemp(join(tmpdir(), "network-test-"));
    const host = new Host(directory, { ...SETTINGS, ...settings });
    await host.open(new Set());
    return host;
  }

  async open(running: ReadonlySet<string>): Promise<void> {
    this.#database = new GraphDB(`${this.directory}/bunker.db`);
    this.networks = await openNetworks({
      database: this.#database,
      settings: this.#settings,
      kinds: [bridgeNetwork, hostNetwork, noNetwork],
      launcherCommand: (args) => [LAUNCHER, ...args],
      stateDirectory: this.directory,
      log: (level, message) => console.error(level, message),
    });
    await this.networks.restore(running);
  }

  /** As if the daemon had been killed: nothing is tidied up. */
  crash(): void {
    this.#database[Symbol.dispose]();
  }

  async request(id: string, ports: readonly PortRequest[], more: Partial<SandboxRequest> = {}) {
    const directory = `${this.directory}/${id}`;
    await mkdir(directory, { recursive: true });
    const names = { containerId: id.padEnd(64, "0"), name: `/${id}`, hostname: id, domainname: "" };
    const lists = { dns: [], dnsSearch: [], dnsOptions: [], extraHosts: [] };
    const mode = { kind: "bridge", network: "bridge" } as const;
    return { ...names, ...lists, mode, ports, directory, ...more } satisfies SandboxRequest;
  }

  async start(
    id: string,
    ports: readonly PortRequest[] = [],
    more: Partial<SandboxRequest> = {},
  ): Promise<Started> {
    const request = await this.request(id, ports, more);
    const sandbox = await this.networks.prepare(request);
    const network = await OtherNetwork.make();
    network.obey(sandbox.links);
    await sandbox.open();
    const stop = async () => {
      await network[Symbol.asyncDispose]();
      await this.networks.release(request.containerId);
    };
    const address = sandbox.endpoints[0]?.address ?? "";
    return { sandbox, network, id: request.containerId, address, [Symbol.asyncDispose]: stop };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.networks[Symbol.asyncDispose]();
    this.crash();
    await rm(this.directory, { recursive: true });
  }
}

const port = (containerPort: number, hostPort: number, more: Partial<PortRequest> = {}): PortRequest => ({
  containerPort,
  protocol: "tcp",
  hostAddress: "",
  hostPort,
  hostPortEnd: hostPort,
  ...more,
});

/** The rules of this namespace, without counters and comments of iptables itself. */
async function rules(): Promise<string[]> {
  const saved = await command("iptables-save");
  return saved.split("\n").filter((line) => /^-A|^:BUNKER/.test(line));
}

function inside(): void {
  let neighbour: OtherNetwork;

  beforeAll(async () => {
    neighbour = await OtherNetwork.make();
    await command(
      "ip",
      "link",
      "add",
      "out0",
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "netns",
      String(neighbour.pid),
    );
    for (const address of ["10.9.0.1/24", "fd09::1/64"])
      await command(
        "ip",
        "address",
        "add",
        address,
        "dev",
        "out0",
        ...(address.includes(":") ? ["nodad"] : []),
      );
    await command("ip", "link", "set", "out0", "up");
    for (const address of ["10.9.0.2/24", "fd09::2/64"])
      await neighbour.run(
        "ip",
        "address",
        "add",
        address,
        "dev",
        "eth0",
        ...(address.includes(":") ? ["nodad"] : []),
      );
    await neighbour.run("ip", "link", "set", "eth0", "up");
    await neighbour.run("ip", "link", "set", "lo", "up");
    await neighbour.run("ip", "route", "add", "172.16.0.0/12", "via", "10.9.0.1");
  });

  afterAll(async () => neighbour[Symbol.asyncDispose]());

  test("a container has its address, route, loopback and name files, and reaches a neighbour of the host", async () => {
    await using host = await Host.start();
    await using one = await host.start("one");
    expect(one.address).toBe("172.17.0.2");
    const shown = await one.network.run("ip", "-o", "address");
    expect(shown).toContain("inet 172.17.0.2/16 brd 172.17.255.255");
    expect(shown).toContain("inet 127.0.0.1/8");
    expect(await one.network.run("ip", "route")).toContain("default via 172.17.0.1 dev eth0");
    const link = await one.network.run("ip", "link", "show", "eth0");
    expect(link).toContain("02:42:ac:11:00:02");
    expect(await Bun.file(`${host.directory}/one/hosts`).text()).toContain("172.17.0.2\tone\n");
    await neighbour.serve("neighbour", "tcp", "10.9.0.2", 7000);
    expect(await one.network.call("tcp", "10.9.0.2", 7000)).toBe("neighbour 10.9.0.1 5");
  });

  test("a published port is reached from loopback, own address, neighbour, other containers and itself", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    await using other = await host.start("other");
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    expect(web.sandbox.ports.map(({ hostAddress, hostPort }) => [hostAddress, hostPort])).toEqual([
      ["0.0.0.0", 8020],
      ["::", 8020],
    ]);
    expect(await call("tcp", "127.0.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.1 5");
    expect(await call("tcp", "::1", 8020)).toBe("web 172.17.0.1 5");
    expect(await call("tcp", "fd09::1", 8020)).toBe("web 172.17.0.1 5");
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.2 5");
    expect(await neighbour.call("tcp", "fd09::1", 8020)).toBe("web 172.17.0.1 5");
    expect(await other.network.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await other.network.call("tcp", "172.17.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await web.network.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await other.network.call("tcp", web.address, 80)).toBe(`web ${other.address} 5`);
  });

  test("nothing but what is published is reached from outside, whatever the policy and however it is routed", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020, { hostAddress: "127.0.0.1" }), port(81, 8021)]);
    for (const inner of [80, 81, 82]) await web.network.serve("web", "tcp", "0.0.0.0", inner);
    expect(await call("tcp", "127.0.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await neighbour.call("tcp", "10.9.0.1", 8021)).toBe("web 10.9.0.2 5");
    // Published on the loopback alone: neither by the host's address nor by routing to the container (D1).
    expect(await neighbour.callInVain("tcp", "10.9.0.1", 8020)).toStartWith("none");
    for (const inner of [80, 81, 82])
      expect(await neighbour.callInVain("tcp", web.address, inner)).toBe("none: silence");
    // A martian: the neighbour takes 127.0.0.1 for an address beyond the host.
    await neighbour.run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
    await neighbour.run(
      "ip",
      "route",
      "add",
      "127.0.0.1/32",
      "via",
      "10.9.0.1",
      "dev",
      "eth0",
      "table",
      "99",
    );
    await neighbour.run("ip", "rule", "add", "to", "127.0.0.1", "lookup", "99", "priority", "0");
    await neighbour.run("ip", "rule", "add", "lookup", "local", "priority", "1");
    await neighbour.run("ip", "rule", "del", "lookup", "local", "priority", "0");
    expect(await neighbour.callInVain("tcp", "127.0.0.1", 8020)).toBe("none: silence");
    await neighbour.run("ip", "rule", "add", "lookup", "local", "priority", "0");
    await neighbour.run("ip", "rule", "del", "to", "127.0.0.1", "lookup", "99");
  });

  test("services on the host's loopback are out of a container's reach", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    using server = Bun.listen({
      hostname: "127.0.0.1",
      port: 7070,
      socket: { data() {} },
    }) as unknown as Disposable;
    expect(await Bun.file("/proc/sys/net/ipv4/conf/bunker0/route_localnet").text()).toBe("1\n");
    await web.network.run("sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1");
    await web.network.run("ip", "rule", "add", "lookup", "local", "priority", "1");
    await web.network.run("ip", "rule", "del", "lookup", "local", "priority", "0");
    await web.network.run("ip", "rule", "add", "to", "127.0.0.1", "lookup", "main", "priority", "0");
    expect(await web.network.callInVain("tcp", "127.0.0.1", 7070)).toBe("none: silence");
    void server;
  });

  test("UDP is carried by both families, and a flow from before does not miss the container", async () => {
    await using host = await Host.start();
    expect(await neighbour.callInVain("udp", "10.9.0.1", 8053)).toStartWith("none");
    {
      await using first = await host.start("first", [port(53, 8053, { protocol: "udp" })]);
      await first.network.serve("first", "udp", "0.0.0.0", 53);
      expect(await neighbour.call("udp", "10.9.0.1", 8053)).toBe("first 10.9.0.2 5");
      expect(await neighbour.call("udp", "fd09::1", 8053)).toBe("first 172.17.0.1 5");
      expect(await call("udp", "127.0.0.1", 8053)).toBe("first 172.17.0.1 5");
      expect(await call("udp", "::1", 8053)).toBe("first 172.17.0.1 5");
    }
    await using second = await host.start("second", [port(53, 8053, { protocol: "udp" })]);
    await second.network.serve("second", "udp", "0.0.0.0", 53);
    expect(await neighbour.call("udp", "10.9.0.1", 8053)).toBe("second 10.9.0.2 5");
  });

  for (const filtered of ["0", "1"])
    test(`without icc containers reach one another's published ports only, bridge-nf-call-iptables=${filtered}`, async () => {
      await command("sysctl", "-qw", `net.bridge.bridge-nf-call-iptables=${filtered}`);
      await using host = await Host.start({ icc: false });
      await using web = await host.start("web", [port(80, 8020)]);
      await using other = await host.start("other");
      for (const inner of [80, 81]) await web.network.serve("web", "tcp", "0.0.0.0", inner);
      expect(await other.network.callInVain("tcp", web.address, 81)).toStartWith("none: ");
      expect(await other.network.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
    });

  for (const filtered of ["0", "1"])
    test(`a hairpin works with net.bridge.bridge-nf-call-iptables=${filtered}`, async () => {
      await command("sysctl", "-qw", `net.bridge.bridge-nf-call-iptables=${filtered}`);
      await using host = await Host.start();
      await using web = await host.start("web", [port(80, 8020)]);
      await using other = await host.start("other");
      await web.network.serve("web", "tcp", "0.0.0.0", 80);
      expect(await other.network.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
      expect(await web.network.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
      expect(await other.network.call("tcp", web.address, 80)).toBe(`web ${other.address} 5`);
    });

  test("a FORWARD policy of DROP hinders neither published ports nor the way out", async () => {
    await command("iptables", "-P", "FORWARD", "DROP");
    await using undo = new AsyncDisposableStack();
    undo.defer(async () => {
      await command("iptables", "-P", "FORWARD", "ACCEPT");
    });
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    await neighbour.serve("neighbour", "tcp", "10.9.0.2", 7001);
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.2 5");
    expect(await web.network.call("tcp", "10.9.0.2", 7001)).toBe("neighbour 10.9.0.1 5");
  });

  test("two daemons side by side keep to their own rules, and their containers apart", async () => {
    await using one = await Host.start();
    await using two = await Host.start({ name: "longest-name-15" });
    await using web = await one.start("web", [port(80, 8020)]);
    await using shop = await two.start("shop", [port(80, 8030)]);
    expect(shop.address).toBe("172.18.0.2");
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    await shop.network.serve("shop", "tcp", "0.0.0.0", 80);
    expect(await shop.network.callInVain("tcp", web.address, 80)).toBe("none: silence");
    expect(await web.network.callInVain("tcp", shop.address, 80)).toBe("none: silence");
    expect(await web.network.call("tcp", "10.9.0.1", 8030)).toBe("shop 172.18.0.1 5");
    const before = (await rules()).filter((rule) => !rule.includes("longest-name-15"));
    await two.networks.restore(new Set([shop.id]));
    expect((await rules()).filter((rule) => !rule.includes("longest-name-15"))).toEqual(before);
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.2 5");
    expect(await neighbour.call("tcp", "10.9.0.1", 8030)).toBe("shop 10.9.0.2 5");
  });

  test("an internal network reaches no other one, not even by its published ports", async () => {
    await using one = await Host.start();
    await using two = await Host.start({ name: "second" });
    await using web = await one.start("web");
    await using shop = await two.start("shop", [port(80, 8030)]);
    await shop.network.serve("shop", "tcp", "0.0.0.0", 80);
    expect(await web.network.call("tcp", "10.9.0.1", 8030)).toBe("shop 172.18.0.1 5");
    const [forwarding] = two.networks.endpoints(shop.id).ports;
    if (forwarding === undefined) throw new Error("shop has no port");
    const open = { isMasqueraded: true, isOpenInside: true, isInternal: false };
    await new IptablesBackend("second").clear();
    await new IptablesBackend("bunker0").replace({
      bridges: [
        { ...open, name: "bunker0", subnet: "172.17.0.0/16", gateway: "172.17.0.1", isInternal: true },
        { ...open, name: "second", subnet: "172.18.0.0/16", gateway: "172.18.0.1" },
      ],
      forwardings: [{ containerId: shop.id, address: shop.address, ports: [forwarding] }],
    });
    expect(await neighbour.call("tcp", "10.9.0.1", 8030)).toBe("shop 10.9.0.2 5");
    expect(await web.network.callInVain("tcp", "10.9.0.1", 8030)).toBe("none: silence");
  });

  test("a port in use is refused with the name of who has it, and nothing is left of the attempt", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    const before = await rules();
    const refused = async (...ports: PortRequest[]) =>
      host.networks.prepare(await host.request("late", ports)).then(String, (error: Error) => error.message);
    expect(await refused(port(81, 8021), port(80, 8020))).toContain(
      "Bind for 0.0.0.0:8020 failed: port is already allocated: the container web has tcp port 8020",
    );
    const comm = (await Bun.file("/proc/self/comm").text()).trim();
    using server = Bun.listen({ hostname: "0.0.0.0", port: 8099, socket: { data() {} } });
    expect(await refused(port(80, 8099))).toContain(
      `port is already allocated: the process ${comm} (pid ${process.pid})`,
    );
    void server;
    expect(await refused(port(80, 8022, { hostAddress: "10.1.2.3" }))).toContain("no interface of this host");
    expect(await rules()).toEqual(before);
    expect(host.networks.endpoints("late".padEnd(64, "0")).ports).toEqual([]);
    expect(
      (await host.networks.prepare(await host.request("free", [port(80, 8021)]))).ports[0]?.hostPort,
    ).toBe(8021);
    expect(web.sandbox.ports).toHaveLength(2);
  });

  test("a port is free again as soon as its container is released, lingering connections or not", async () => {
    await using host = await Host.start();
    for (const id of ["one", "two", "three"]) {
      await using web = await host.start(id, [port(80, 8020)]);
      await web.network.serve(id, "tcp", "0.0.0.0", 80);
      expect(await call("tcp", "::1", 8020)).toBe(`${id} 172.17.0.1 5`);
      expect(await call("tcp", "127.0.0.1", 8020)).toBe(`${id} 172.17.0.1 5`);
    }
  });

  test("a range gives its first free port, no port at all one of the kernel's ephemeral ones, each time another", async () => {
    await using host = await Host.start();
    const range = { hostPortEnd: 8102 };
    await using one = await host.start("one", [port(80, 8100, range)]);
    await using two = await host.start("two", [port(80, 8100, range), port(81, 0)]);
    await using three = await host.start("three", [port(81, 0)]);
    const given = [one, two, three].map(({ sandbox }) => sandbox.ports.map(({ hostPort }) => hostPort));
    expect(given).toEqual([
      [8100, 8100],
      [8101, 8101, 32768, 32768],
      [32769, 32769],
    ]);
  });

  test("rules that were flushed come back with the next change and with restore", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    const before = await rules();
    for (const table of ["nat", "filter", "raw"]) await command("iptables", "-t", table, "-F");
    await host.networks.restore(new Set([web.id]));
    expect((await rules()).sort()).toEqual(before.sort());
    for (const table of ["nat", "filter", "raw"]) await command("iptables", "-t", table, "-F");
    for (const table of ["nat", "filter", "raw"]) await command("iptables", "-t", table, "-X");
    await using other = await host.start("other", [port(80, 8021)]);
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.2 5");
    expect(other.sandbox.ports[0]?.hostPort).toBe(8021);
  });

  test("a daemon killed and started again finds addresses, ports and relays, and removes what has ended", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    await using gone = await host.start("gone", [port(80, 8021)]);
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    await command("iptables", "-A", "BUNKER-USER", "-s", "10.66.0.0/16", "-j", "DROP");
    const before = (await rules()).filter((rule) => !rule.includes("bunker:bunker0:gone"));
    host.crash();
    await host.open(new Set([web.id]));
    expect((await rules()).sort()).toEqual(before.sort());
    expect(host.networks.endpoints(web.id).endpoints[0]?.address).toBe("172.17.0.2");
    expect(host.networks.endpoints(gone.id).endpoints).toEqual([]);
    using netlink = new Netlink();
    expect(listLinks(netlink).filter(({ name }) => name.startsWith("veth"))).toHaveLength(1);
    expect(await call("tcp", "::1", 8020)).toBe("web 172.17.0.1 5");
    expect(await callInVain("tcp", "::1", 8021)).toStartWith("none");
    await using next = await host.start("next", [port(80, 8021)]);
    expect(next.address).not.toBe("172.17.0.2");
    await command("iptables", "-F", "BUNKER-USER");
  });

  test("a bridge that went away under running containers is made again with them on it", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    await command("ip", "link", "delete", "bunker0");
    host.crash();
    await host.open(new Set([web.id]));
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 10.9.0.2 5");
  });

  test("a relay ends with the container's link while no daemon looks", async () => {
    await using host = await Host.start();
    const web = await host.start("web", [port(80, 8020)]);
    expect(await callInVain("tcp", "::1", 8020)).toBe("none: ECONNRESET");
    host.crash();
    await web.network[Symbol.asyncDispose]();
    using netlink = new Netlink();
    while (listLinks(netlink).some(({ name }) => name.startsWith("veth"))) await Bun.sleep(5);
    let answer = "";
    while (answer !== "none: ECONNREFUSED") answer = await callInVain("tcp", "::1", 8020);
    await host.open(new Set());
  });

  test("the bridge keeps an address it has, takes the one asked for, and avoids what the host knows", async () => {
    await command("ip", "route", "add", "172.17.0.0/16", "dev", "out0");
    {
      await using host = await Host.start();
      expect(host.networks.find("bridge")?.subnet).toBe("172.18.0.0/16");
    }
    await command("ip", "route", "del", "172.17.0.0/16", "dev", "out0");
    await using host = await Host.start({ bip: "10.44.0.5/24", fixedCidr: "10.44.0.128/25" });
    await using one = await host.start("one");
    expect(one.address).toBe("10.44.0.128");
    expect(one.sandbox.endpoints[0]?.gateway).toBe("10.44.0.5");
  });

  test("host, none and another container's network", async () => {
    await using host = await Host.start();
    await using web = await host.start("web", [port(80, 8020)]);
    const mode = async (id: string, how: SandboxRequest["mode"]) =>
      host.networks.prepare(await host.request(id, [port(80, 8020)], { mode: how }));
    const own = await mode("own", { kind: "host" });
    expect(own.namespace).toEqual({ kind: "host" });
    expect([own.ports, own.links, own.reservations]).toEqual([[], [], []]);
    expect(await Bun.file(`${host.directory}/own/hosts`).text()).toContain("127.0.0.1");
    const none = await mode("none", { kind: "none" });
    expect(none.namespace).toEqual({ kind: "new" });
    expect(none.links.map(({ purpose }) => purpose)).toEqual(["bring the container's loopback up"]);
    const shared = await mode("shared", { kind: "container", id: web.id, pid: web.network.pid });
    expect(shared.namespace).toEqual({ kind: "path", path: web.network.path });
    expect(shared.files?.hosts).toBe(`${host.directory}/web/hosts`);
    const nobody = mode("lost", { kind: "container", id: "f".repeat(64), pid: 1 });
    expect(nobody).rejects.toThrow("it is not running");
  });

  test("a container's interface has IPv6 switched off", async () => {
    await using host = await Host.start();
    await using sandbox = await host.networks.prepare(await host.request("one", []));
    expect(sandbox.sysctls).toEqual({
      "net.ipv6.conf.default.disable_ipv6": "1",
      "net.ipv6.conf.eth0.disable_ipv6": "1",
    });
    expect(await command("ip", "-6", "address", "show", "dev", "bunker0")).toBe("");
  });

  test("without the firewall ports go through the relay", async () => {
    const before = await rules();
    await using host = await Host.start({ iptables: false });
    await using web = await host.start("web", [port(80, 8020), port(53, 8053, { protocol: "udp" })]);
    await web.network.serve("web", "tcp", "0.0.0.0", 80);
    await web.network.serve("web", "udp", "0.0.0.0", 53);
    expect(await rules()).toEqual(before);
    expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("web 172.17.0.1 5");
    expect(await neighbour.call("udp", "10.9.0.1", 8053)).toBe("web 172.17.0.1 5");
  });

  test("when the last container has ended and the daemon stops, nothing is left", async () => {
    const links = await command("ip", "-o", "link");
    const before = await rules();
    {
      await using host = await Host.start();
      await using web = await host.start("web", [port(80, 8020), port(53, 8053, { protocol: "udp" })]);
      expect(web.address).toBe("172.17.0.2");
    }
    expect(await rules()).toEqual(before);
    expect(await command("ip", "-o", "link")).toBe(links);
  });
}
