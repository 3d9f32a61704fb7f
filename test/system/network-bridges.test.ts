import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { describeInOwnNetwork } from "../fixtures/describe-in-own-network.ts";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";
import { makeNeighbour } from "../fixtures/network-neighbour.ts";
import { call, callInVain, command, EnteredNetwork, type OtherNetwork } from "../fixtures/own-network.ts";

const SLEEP = ["sleep", "1000"];

/** Every rule and chain of bunker's, of both kinds and families, without counters. */
async function ownRules(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const program of ["iptables-save", "ip6tables-save"])
    found.push(
      ...(await command(program))
        .split("\n")
        .filter((line) => /^-A .*bunker:|^:BUNKER/.test(line))
        .map((line) => `${program} ${line.replace(/ \[.*/, "")}`),
    );
  const tables = (await command("nft", "list", "tables"))
    .split("\n")
    .filter((line) => line.includes("bunker"));
  for (const table of tables) found.push(await command("nft", "--stateless", "list", ...table.split(" ")));
  return found.sort();
}

describeInOwnNetwork(import.meta.path, () => {
  let neighbour: OtherNetwork;

  beforeAll(async () => {
    for (const program of ["iptables", "ip6tables"])
      await command("sysctl", "-qw", `net.bridge.bridge-nf-call-${program}=0`);
    neighbour = await makeNeighbour();
    await neighbour.serve("neighbour", "tcp", "10.9.0.2", 7000);
    await neighbour.serve("neighbour", "tcp", "fd09::2", 7000);
  });
  afterAll(async () => neighbour[Symbol.asyncDispose]());

  /** A container that runs, and its network seen from inside. */
  async function enter(part: HostPart, name: string, ...words: string[]) {
    const id = await part.daemon.ok("run", "-d", "--name", name, ...words, "busybox", ...SLEEP);
    const { State } = await part.inspect(id);
    const network = new EnteredNetwork(State.Pid);
    const { GlobalIPv6Address: ipv6Address = "", IPAddress: address = "" } =
      Object.values((await part.inspect(id)).NetworkSettings.Networks as Record<string, Addresses>)[0] ?? {};
    const leave = async () => {
      await network[Symbol.asyncDispose]();
      await part.daemon.ok("rm", "-f", name);
    };
    return { network, address, ipv6Address, [Symbol.asyncDispose]: leave };
  }

  interface Addresses {
    readonly IPAddress: string;
    readonly GlobalIPv6Address: string;
  }

  for (const backend of ["iptables", "nftables"])
    describe(`bridge networks with ${backend}`, () => {
      let part: HostPart;

      beforeAll(async () => {
        part = await HostPart.openWith(["--firewall-backend", backend], "busybox");
      }, PATIENCE);
      afterAll(async () => {
        await part?.[Symbol.asyncDispose]();
        expect(await ownRules()).toEqual([]);
      }, PATIENCE);

      async function make(name: string, ...words: string[]): Promise<AsyncDisposable> {
        await part.daemon.ok("network", "create", ...words, name);
        return { [Symbol.asyncDispose]: async () => void (await part.daemon.ok("network", "rm", name)) };
      }

      test("two of them are apart both ways, and meet at published ports with the caller's address kept", async () => {
        await using left = await make("left", "--subnet", "172.31.1.0/24");
        await using right = await make("right", "--subnet", "172.31.2.0/24");
        await using one = await enter(part, "one", "--network", "left", "-p", "8020:80");
        await using two = await enter(part, "two", "--network", "right");
        for (const port of [80, 81]) await one.network.serve("one", "tcp", "0.0.0.0", port);
        await two.network.serve("two", "tcp", "0.0.0.0", 80);
        expect(await two.network.callInVain("tcp", one.address, 80)).toBe("none: silence");
        expect(await one.network.callInVain("tcp", two.address, 80)).toBe("none: silence");
        expect(await two.network.call("tcp", "10.9.0.1", 8020)).toBe(`one ${two.address} 5`);
        expect(await two.network.callInVain("tcp", "10.9.0.1", 81)).toStartWith("none");
        expect(await neighbour.call("tcp", "10.9.0.1", 8020)).toBe("one 10.9.0.2 5");
        expect(await neighbour.callInVain("tcp", one.address, 80)).toBe("none: silence");
        expect(await call("tcp", "127.0.0.1", 8020)).toBe("one 172.31.1.1 5");
        expect(await call("tcp", "::1", 8020)).toBe("one 172.31.1.1 5");
        expect(await one.network.call("tcp", "10.9.0.1", 8020)).toBe("one 172.31.1.1 5");
        expect(await one.network.call("tcp", "10.9.0.2", 7000)).toBe("neighbour 10.9.0.1 5");
        void [left, right];
      });

      test("one with IPv6 speaks it with neighbours behind the host's address, and is published in it", async () => {
        await using dual = await make(
          "dual",
          "--ipv6",
          "--subnet",
          "172.31.3.0/24",
          "--subnet",
          "fd31:3::/64",
        );
        await using one = await enter(part, "one", "--network", "dual", "-p", "8021:90");
        await one.network.serve("one", "tcp", "::", 90);
        expect(one.ipv6Address).toStartWith("fd31:3::");
        expect(await one.network.call("tcp", "fd09::2", 7000)).toBe("neighbour fd09::1 5");
        expect(await neighbour.call("tcp", "fd09::1", 8021)).toBe("one fd09::2 5");
        expect(await call("tcp", "::1", 8021)).toBe("one fd31:3::1 5");
        await neighbour.run("ip", "-6", "route", "replace", "fd31::/16", "via", "fd09::1");
        expect(await neighbour.callInVain("tcp", one.ipv6Address, 90)).toBe("none: silence");
        void dual;
      });

      test("one without IPv4 is reached by published ports of both", async () => {
        await using six = await make("six", "--ipv4=false", "--ipv6", "--subnet", "fd31:4::/64");
        await using one = await enter(part, "one", "--network", "six", "-p", "8022:90");
        await one.network.serve("one", "tcp", "::", 90);
        expect(one.address).toBe("");
        expect(await neighbour.call("tcp", "fd09::1", 8022)).toBe("one fd09::2 5");
        expect(await neighbour.call("tcp", "10.9.0.1", 8022)).toBe("one fd31:4::1 5");
        void six;
      });

      test("an internal one has no way out, whatever its containers do, and none in", async () => {
        await using inner = await make("inner", "--internal", "--subnet", "172.31.5.0/24");
        await using one = await enter(part, "one", "--network", "inner", "-p", "8023:80");
        await using two = await enter(part, "two", "--network", "inner");
        await one.network.serve("one", "tcp", "0.0.0.0", 80);
        expect(await two.network.call("tcp", one.address, 80)).toBe(`one ${two.address} 5`);
        expect(await one.network.run("ip", "route")).not.toContain("default");
        await one.network.run("ip", "route", "add", "default", "via", "172.31.5.1");
        expect(await one.network.callInVain("tcp", "10.9.0.2", 7000)).toBe("none: silence");
        expect(await neighbour.callInVain("tcp", "10.9.0.1", 8023)).toStartWith("none");
        expect(await neighbour.callInVain("tcp", one.address, 80)).toBe("none: silence");
        void inner;
      });

      test("options close one inside, route to one, name a bridge and its MTU", async () => {
        const option = (key: string, value: string) => ["-o", `com.docker.network.${key}=${value}`];
        await using apart = await make("apart", ...option("bridge.enable_icc", "false"));
        await using routed = await make(
          "routed",
          "--subnet",
          "172.31.6.0/24",
          ...option("bridge.gateway_mode_ipv4", "routed"),
          ...option("bridge.name", "brname"),
          ...option("driver.mtu", "1300"),
        );
        await using one = await enter(part, "one", "--network", "apart");
        await using two = await enter(part, "two", "--network", "apart");
        await one.network.serve("one", "tcp", "0.0.0.0", 80);
        expect(await two.network.callInVain("tcp", one.address, 80)).toStartWith("none: ");
        await using three = await enter(part, "three", "--network", "routed", "-p", "8024:80");
        for (const port of [80, 81]) await three.network.serve("three", "tcp", "0.0.0.0", port);
        expect(await neighbour.call("tcp", three.address, 80)).toBe("three 10.9.0.2 5");
        expect(await neighbour.callInVain("tcp", three.address, 81)).toBe("none: silence");
        expect(await three.network.call("tcp", "10.9.0.2", 7000).catch(String)).toStartWith("n");
        expect(await command("ip", "link", "show", "brname")).toContain("mtu 1300");
        expect(await three.network.run("ip", "link", "show", "eth0")).toContain("mtu 1300");
        const wrong = await part.daemon.cli("network", "create", ...option("bridge.name", "brname"), "other");
        expect(wrong.stderr).toContain("networks have same bridge name");
        const bad = await part.daemon.cli(
          "network",
          "create",
          ...option("bridge.enable_icc", "maybe"),
          "other",
        );
        expect(bad.stderr).toContain("enable_icc=maybe: it takes true or false");
        void [apart, routed];
      });

      test("options bind ports to one address of the host, and call a container's links otherwise", async () => {
        await using bound = await make(
          "bound",
          "-o",
          "com.docker.network.bridge.host_binding_ipv4=127.0.0.1",
          "-o",
          "com.docker.network.container_iface_prefix=lan",
        );
        await using one = await enter(part, "one", "--network", "bound", "-p", "8029:80");
        await one.network.serve("one", "tcp", "0.0.0.0", 80);
        expect(await part.daemon.ok("port", "one")).toBe("80/tcp -> 127.0.0.1:8029");
        expect(await call("tcp", "127.0.0.1", 8029)).toStartWith("one ");
        expect(await neighbour.callInVain("tcp", "10.9.0.1", 8029)).toStartWith("none");
        expect(await one.network.run("ip", "-o", "link")).toContain("lan0@");
        void bound;
      });

      test("a bridge that was there is used, and stays when the network goes", async () => {
        await command("ip", "link", "add", "brthere", "type", "bridge");
        const name = ["-o", "com.docker.network.bridge.name=brthere"];
        {
          await using there = await make("there", ...name, "--subnet", "172.31.7.0/24");
          await using one = await enter(part, "one", "--network", "there");
          await command("ip", "link", "set", "brthere", "up");
          expect(await one.network.call("tcp", "10.9.0.2", 7000)).toBe("neighbour 10.9.0.1 5");
          void there;
        }
        expect(await command("ip", "link", "show", "brthere")).toContain("brthere");
        await command("ip", "link", "delete", "brthere");
      });

      test("rules that others flush are back, and a daemon that was killed finds them as they were", async () => {
        await using net = await make("net", "--ipv6", "--subnet", "172.31.8.0/24", "--subnet", "fd31:8::/64");
        await using one = await enter(
          part,
          "one",
          "--network",
          "net",
          "-p",
          "8025:80",
          "-p",
          "127.0.0.1:8026:80",
        );
        await one.network.serve("one", "tcp", "0.0.0.0", 80);
        const before = await ownRules();
        const flushes =
          backend === "iptables"
            ? [
                ["iptables", "-F"],
                ["iptables", "-t", "nat", "-F"],
                ["ip6tables", "-t", "nat", "-F"],
              ]
            : [];
        for (const flush of [...flushes, ["nft", "flush", "ruleset"]]) {
          await command(...flush);
          await until(ownRules, (now) => now.join("\n") === before.join("\n"));
          expect(await neighbour.call("tcp", "10.9.0.1", 8025)).toBe("one 10.9.0.2 5");
        }
        await part.daemon.kill();
        expect(await ownRules()).toEqual(before);
        expect(await neighbour.call("tcp", "10.9.0.1", 8025)).toBe("one 10.9.0.2 5");
        await part.daemon.start();
        expect(await ownRules()).toEqual(before);
        expect(await call("tcp", "127.0.0.1", 8026)).toBe("one 172.31.8.1 5");
        expect(await neighbour.callInVain("tcp", "10.9.0.1", 8026)).toStartWith("none");
        void net;
      });

      test("doctor finds all well, and names what was turned off", async () => {
        const doctor = async () => (await part.daemon.cli("network", "doctor")).stdout;
        expect(await doctor()).not.toContain("broken");
        await command("sysctl", "-qw", "net.ipv4.ip_forward=0");
        expect(await doctor()).toMatch(/broken\s+ip_forward.*net\.ipv4\.ip_forward is off/);
        await command("sysctl", "-qw", "net.ipv4.ip_forward=1");
      });
    });

  test("another back-end takes over what the one before left, while a container runs", async () => {
    await using first = await HostPart.openWith(["--firewall-backend", "nftables"], "busybox");
    await using one = await enter(first, "one", "-p", "8027:80");
    await one.network.serve("one", "tcp", "0.0.0.0", 80);
    await first.daemon.kill();
    await first.daemon.start(["--firewall-backend", "iptables"]);
    expect(await command("nft", "list", "tables")).not.toContain("bunker");
    expect(await neighbour.call("tcp", "10.9.0.1", 8027)).toBe("one 10.9.0.2 5");
  });

  test("with --publish-mode input the host's INPUT rules say who reaches a port", async () => {
    await using part = await HostPart.openWith(["--publish-mode", "input"], "busybox");
    await using one = await enter(part, "one", "-p", "8028:80");
    await one.network.serve("one", "tcp", "0.0.0.0", 80);
    expect(await neighbour.call("tcp", "10.9.0.1", 8028)).toStartWith("one ");
    expect(await part.daemon.ok("ports")).toContain("INPUT");
    await command("iptables", "-I", "INPUT", "-p", "tcp", "--dport", "8028", "-s", "10.9.0.2", "-j", "DROP");
    expect(await neighbour.callInVain("tcp", "10.9.0.1", 8028)).toBe("none: silence");
    await command("iptables", "-F", "INPUT");
  });

  test("forwarding that the daemon turned on is for its bridges alone, and goes with it", async () => {
    await command("sysctl", "-qw", "net.ipv4.ip_forward=0");
    {
      await using part = await HostPart.openWith(["--firewall-backend", "iptables"], "busybox");
      expect(await command("iptables", "-S", "FORWARD")).toContain("-P FORWARD DROP");
      await part.daemon.kill();
      await part.daemon.start();
    }
    expect(await command("sysctl", "-n", "net.ipv4.ip_forward")).toBe("0\n");
    expect(await command("iptables", "-S", "FORWARD")).toContain("-P FORWARD ACCEPT");
    {
      await using part = await HostPart.openWith(["--ip-forward-no-drop"], "busybox");
      expect(await command("iptables", "-S", "FORWARD")).toContain("-P FORWARD ACCEPT");
      expect(await callInVain("tcp", "127.0.0.1", 8028)).toBe("none: ECONNREFUSED");
      void part;
    }
  });
});
