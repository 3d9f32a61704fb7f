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
import {
  call,
  callInVain,
  command,
  isInOwnNetwork,
  OtherNetwork,
  rerunInOwnNetwork,
} from "../fixtures/own-network.ts";

const LAUNCHER = process.env["LAUNCHER"] ?? resolve(import.meta.dir, "../../dist/launcher");
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
}
