import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { FilteredBridge, FirewallBackend, FirewallState, ForwardedPort } from "#network";
import { BRA, BRB, type FilteredHost, makeFilteredHost } from "../fixtures/filtered-host.ts";
import { call, callInVain, command } from "../fixtures/own-network.ts";

export interface BackendUnderTest {
  readonly title: string;
  /** Undefined, or why it cannot be tried here. */
  readonly reason?: string;
  make(): FirewallBackend;
  /** Each removes rules of ours behind our back. */
  readonly flushes: readonly (readonly string[])[];
  /** Puts a rule into the user's chain that drops what comes from 10.9.0.2, and removes it. */
  readonly userRule: { readonly add: readonly string[]; readonly remove: readonly (readonly string[])[] };
  /** All rules and chains there are, without counters. */
  list(): Promise<string>;
}

const ID = "0123456789ab".padEnd(64, "0");

function bridge(name: "bra" | "brb", more: Partial<FilteredBridge> = {}): FilteredBridge {
  const { subnet, ipv6Subnet } = name === "bra" ? BRA : BRB;
  const rest = { isMasqueraded: true, sourceAddress: "", directReach: "none" } as const;
  return {
    name,
    subnets: [
      { family: 4, subnet, ...rest },
      { family: 6, subnet: ipv6Subnet, ...rest },
    ],
    isOpenInside: true,
    isInternal: false,
    trustedInterfaces: [],
    ...more,
  };
}

const reached = (one: FilteredBridge, directReach: "published" | "all"): FilteredBridge => ({
  ...one,
  subnets: one.subnets.map((subnet) => ({ ...subnet, directReach })),
});

function port(hostPort: number, more: Partial<ForwardedPort> = {}): ForwardedPort {
  const rest = { protocol: "tcp", containerPort: 80, isTranslated: true, isDirect: false } as const;
  return { family: 4, hostAddress: "0.0.0.0", hostPort, address: "172.30.1.2", ...rest, ...more };
}

const port6 = (hostPort: number, more: Partial<ForwardedPort> = {}): ForwardedPort =>
  port(hostPort, { family: 6, hostAddress: "::", address: "fd30:1::2", ...more });

const forwarding = (...ports: ForwardedPort[]) => ({ containerId: ID, bridge: "bra", ports, passages: [] });

const state = (more: Partial<FirewallState> = {}): FirewallState => ({
  bridges: [bridge("bra"), bridge("brb")],
  forwardings: [],
  closedFamilies: [],
  reopenedFamilies: [],
  ...more,
});

/** The kernel removes a link with the namespace of its other end, a moment after that. */
async function awaitNoLink(name: string): Promise<void> {
  while ((await command("ip", "-o", "link")).includes(`${name}@`)) await Bun.sleep(5);
}

/** The one suite of every back-end, in a network namespace of its own: what the rules do is told by who reaches whom. */
export function firewallBackendConformance(kind: BackendUnderTest): void {
  const title = kind.reason === undefined ? kind.title : `${kind.title} (skipped: ${kind.reason})`;
  describe.skipIf(kind.reason !== undefined)(`firewall back-end ${title}`, () => {
    let host: FilteredHost;
    let backend: FirewallBackend;
    let bare = "";

    beforeAll(async () => {
      host = await makeFilteredHost();
      for (const { network } of [host.one, host.two, host.other]) {
        await network.serve("container", "tcp", "0.0.0.0", 80);
        await network.serve("container", "tcp", "0.0.0.0", 81);
        await network.serve("container6", "tcp", "::", 90);
      }
      await host.neighbour.serve("neighbour", "tcp", "10.9.0.2", 7000);
      await host.neighbour.serve("neighbour", "tcp", "fd09::2", 7000);
      backend = kind.make();
      await backend.clear();
      bare = await kind.list();
    });

    afterEach(async () => {
      await backend.clear();
    });

    afterAll(async () => {
      await host[Symbol.asyncDispose]();
      for (const name of ["out0", "brav2", "brav3", "brbv2"]) await awaitNoLink(name);
    });

    test("has all it needs", () => expect(backend.missing()).toBeUndefined());

    test("knows its rules again, and makes the same ones twice", async () => {
      const full = state({
        bridges: [
          bridge("bra", { trustedInterfaces: ["out0"] }),
          reached(bridge("brb", { isOpenInside: false, isInternal: true }), "published"),
        ],
        forwardings: [
          forwarding(
            port(8020),
            port(8021, { hostAddress: "127.0.0.1" }),
            port(8022, { hostAddress: "10.9.0.1", isDirect: true }),
            port(8023, { protocol: "udp" }),
            port(8024, { protocol: "sctp" }),
            port6(8020),
            port6(8025, { hostAddress: "fd09::1", isDirect: true }),
          ),
        ],
        closedFamilies: [4, 6],
      });
      await backend.replace(full);
      expect(await backend.isIntact(full)).toBe(true);
      const first = await kind.list();
      await backend.replace(full);
      expect(await kind.list()).toBe(first);
      await backend.replace({ ...full, closedFamilies: [], reopenedFamilies: [4, 6] });
      await backend.clear();
      expect(await kind.list()).toBe(bare);
    });

    test("leads the host's port to the container, with the caller's address wherever it can be kept", async () => {
      await backend.replace(
        state({ forwardings: [forwarding(port(8020), port6(8026, { containerPort: 90 }))] }),
      );
      expect(await host.neighbour.call("tcp", "10.9.0.1", 8020)).toBe("container 10.9.0.2 5");
      expect(await call("tcp", "127.0.0.1", 8020)).toBe("container 172.30.1.1 5");
      expect(await call("tcp", "10.9.0.1", 8020)).toBe("container 10.9.0.1 5");
      expect(await host.other.network.call("tcp", "10.9.0.1", 8020)).toBe("container 172.30.2.2 5");
      expect(await host.two.network.call("tcp", "172.30.1.1", 8020)).toBe("container 172.30.1.1 5");
      expect(await host.one.network.call("tcp", "10.9.0.1", 8020)).toBe("container 172.30.1.1 5");
      expect(await host.neighbour.call("tcp", "fd09::1", 8026)).toBe("container6 fd09::2 5");
      expect(await host.other.network.call("tcp", "fd09::1", 8026)).toBe("container6 fd30:2::2 5");
      expect(await host.one.network.call("tcp", "fd09::1", 8026)).toBe("container6 fd30:1::1 5");
    });

    test("closes what is not published, however it is routed, and bridges to one another", async () => {
      await backend.replace(
        state({
          forwardings: [forwarding(port(8020), port(8021, { hostAddress: "127.0.0.1", containerPort: 81 }))],
        }),
      );
      for (const inner of [80, 81])
        expect(await host.neighbour.callInVain("tcp", "172.30.1.2", inner)).toBe("none: silence");
      expect(await host.neighbour.callInVain("tcp", "10.9.0.1", 8021)).toStartWith("none");
      expect(await call("tcp", "127.0.0.1", 8021)).toBe("container 172.30.1.1 5");
      expect(await host.neighbour.callInVain("tcp", "fd30:1::2", 90)).toBe("none: silence");
      expect(await host.one.network.callInVain("tcp", "172.30.2.2", 80)).toBe("none: silence");
      expect(await host.other.network.callInVain("tcp", "172.30.1.2", 80)).toBe("none: silence");
      expect(await host.other.network.callInVain("tcp", "fd30:1::2", 90)).toBe("none: silence");
      expect(await host.two.network.call("tcp", "172.30.1.2", 80)).toBe("container 172.30.1.3 5");
    });

    test("gives what leaves the host's address, of both families, or the one that was asked for", async () => {
      await backend.replace(state());
      expect(await host.one.network.call("tcp", "10.9.0.2", 7000)).toBe("neighbour 10.9.0.1 5");
      expect(await host.one.network.call("tcp", "fd09::2", 7000)).toBe("neighbour fd09::1 5");
      await command("ip", "address", "add", "10.9.0.7/24", "dev", "out0");
      const asked = bridge("bra");
      const subnets = asked.subnets.map((one) => ({
        ...one,
        sourceAddress: one.family === 4 ? "10.9.0.7" : "",
      }));
      await backend.replace(state({ bridges: [{ ...asked, subnets }] }));
      expect(await host.one.network.call("tcp", "10.9.0.2", 7000)).toBe("neighbour 10.9.0.7 5");
      await command("ip", "address", "delete", "10.9.0.7/24", "dev", "out0");
    });

    test("an internal bridge has no way out and none in, not by published ports of others either", async () => {
      const closed = { isMasqueraded: false, sourceAddress: "", directReach: "none" } as const;
      const internal = bridge("brb", {
        isInternal: true,
        subnets: [
          { family: 4, subnet: BRB.subnet, ...closed },
          { family: 6, subnet: BRB.ipv6Subnet, ...closed },
        ],
      });
      await backend.replace(
        state({ bridges: [bridge("bra"), internal], forwardings: [forwarding(port(8020))] }),
      );
      expect(await host.neighbour.call("tcp", "10.9.0.1", 8020)).toBe("container 10.9.0.2 5");
      expect(await host.other.network.callInVain("tcp", "10.9.0.2", 7000)).toBe("none: silence");
      expect(await host.other.network.callInVain("tcp", "fd09::2", 7000)).toBe("none: silence");
      expect(await host.other.network.callInVain("tcp", "10.9.0.1", 8020)).toBe("none: silence");
      expect(await host.neighbour.callInVain("tcp", "172.30.2.2", 80)).toBe("none: silence");
      expect(await host.one.network.callInVain("tcp", "172.30.2.2", 80)).toBe("none: silence");
    });

    test("a routed bridge is reached at published ports alone, an unprotected one at all, a trusted link's all", async () => {
      const direct = forwarding(port(8020, { isTranslated: false, isDirect: true }));
      await backend.replace(
        state({ bridges: [reached(bridge("bra"), "published"), bridge("brb")], forwardings: [direct] }),
      );
      expect(await host.neighbour.call("tcp", "172.30.1.2", 80)).toBe("container 10.9.0.2 5");
      expect(await host.neighbour.callInVain("tcp", "172.30.1.2", 81)).toBe("none: silence");
      expect(await host.neighbour.callInVain("tcp", "10.9.0.1", 8020)).toStartWith("none");
      await backend.replace(state({ bridges: [reached(bridge("bra"), "all")] }));
      expect(await host.neighbour.call("tcp", "172.30.1.2", 81)).toBe("container 10.9.0.2 5");
      await backend.replace(
        state({ bridges: [bridge("bra", { trustedInterfaces: ["out0"] }), bridge("brb")] }),
      );
      expect(await host.neighbour.call("tcp", "172.30.1.2", 81)).toBe("container 10.9.0.2 5");
      expect(await host.other.network.callInVain("tcp", "172.30.1.2", 81)).toBe("none: silence");
    });

    test("keeps containers of a closed bridge apart where frames are filtered", async () => {
      await command("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1");
      await backend.replace(
        state({ bridges: [bridge("bra", { isOpenInside: false })], forwardings: [forwarding(port(8020))] }),
      );
      expect(await host.two.network.callInVain("tcp", "172.30.1.2", 80)).toBe("none: silence");
      expect(await host.two.network.call("tcp", "10.9.0.1", 8020)).toBe("container 172.30.1.1 5");
      await command("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0");
    });

    test("lets a link through between containers of a closed bridge, to its port and one way", async () => {
      await command("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1");
      const closed = [bridge("bra", { isOpenInside: false })];
      const ends = { family: 4, protocol: "tcp", from: host.two.address, to: "172.30.1.2" } as const;
      const linked = { ...forwarding(), passages: [{ ...ends, port: 80 }] };
      await backend.replace(state({ bridges: closed, forwardings: [linked] }));
      expect(await host.two.network.call("tcp", "172.30.1.2", 80)).toBe(`container ${host.two.address} 5`);
      expect(await host.two.network.callInVain("tcp", "172.30.1.2", 81)).toBe("none: silence");
      const part = { bridges: [], forwardings: [linked] };
      await backend.change({ add: { bridges: [], forwardings: [] }, remove: part });
      expect(await host.two.network.callInVain("tcp", "172.30.1.2", 80)).toBe("none: silence");
      await backend.change({ add: part, remove: { bridges: [], forwardings: [] } });
      expect(await backend.isIntact(state({ bridges: closed, forwardings: [linked] }))).toBe(true);
      await command("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0");
    });

    test("changes by parts come to the same as all at once, and what is not there cannot be taken away", async () => {
      const ports = forwarding(port(8020), port(8021, { hostAddress: "127.0.0.1" }), port6(8020));
      await backend.replace(state({ forwardings: [ports] }));
      const whole = (await kind.list()).split("\n").sort();
      await backend.replace(state({ bridges: [bridge("bra")] }));
      const nothing = { bridges: [], forwardings: [] };
      await backend.change({ add: { bridges: [bridge("brb")], forwardings: [ports] }, remove: nothing });
      expect((await kind.list()).split("\n").sort()).toEqual(whole);
      expect(await backend.isIntact(state({ forwardings: [ports] }))).toBe(true);
      const without = { bridges: [bridge("brb")], forwardings: [ports] };
      await backend.change({ add: nothing, remove: without });
      expect(await backend.isIntact(state({ bridges: [bridge("bra")] }))).toBe(true);
      expect(await backend.isIntact(state({ forwardings: [ports] }))).toBe(false);
      expect(backend.change({ add: nothing, remove: without })).rejects.toThrow();
      expect(await host.neighbour.callInVain("tcp", "10.9.0.1", 8020)).toStartWith("none");
    });

    test("a rule of the user's comes first, and outlives all of ours", async () => {
      await backend.replace(state({ forwardings: [forwarding(port(8020))] }));
      await command(...kind.userRule.add);
      expect(await host.neighbour.callInVain("tcp", "10.9.0.1", 8020)).toBe("none: silence");
      await backend.replace(state({ forwardings: [forwarding(port(8020))] }));
      expect(await host.neighbour.callInVain("tcp", "10.9.0.1", 8020)).toBe("none: silence");
      await backend.clear();
      expect(await kind.list()).toContain("BUNKER-USER");
      await backend.replace(state({ forwardings: [forwarding(port(8020))] }));
      expect(await host.neighbour.callInVain("tcp", "10.9.0.1", 8020)).toBe("none: silence");
      for (const words of kind.userRule.remove) await command(...words);
      expect(await host.neighbour.call("tcp", "10.9.0.1", 8020)).toBe("container 10.9.0.2 5");
      await backend.clear();
      expect(await kind.list()).toBe(bare);
    });

    test("sees what others remove and not what it does itself", async () => {
      const wanted = state({ forwardings: [forwarding(port(8020), port6(8020))] });
      await backend.replace(wanted);
      using watch = backend.watch(() => {});
      watch.look();
      await backend.replace(wanted);
      expect(watch.look()).toBeUndefined();
      for (const words of kind.flushes) {
        await command(...words);
        const intruder = watch.look();
        if (intruder === undefined) throw new Error(`Nobody was seen who ran ${words.join(" ")}`);
        expect([words, await backend.isIntact(wanted)]).toEqual([words, false]);
        await backend.replace(wanted);
        expect(await backend.isIntact(wanted)).toBe(true);
        expect(watch.look()).toBeUndefined();
      }
      expect(await host.neighbour.call("tcp", "10.9.0.1", 8020)).toBe("container 10.9.0.2 5");
    });

    test("what is nobody's bridge's is not forwarded where the daemon turned forwarding on", async () => {
      await command("ip", "link", "add", "brc", "type", "bridge");
      await backend.replace(state({ closedFamilies: [4, 6] }));
      expect(await host.one.network.call("tcp", "10.9.0.2", 7000)).toBe("neighbour 10.9.0.1 5");
      await backend.replace(state({ bridges: [bridge("bra")], closedFamilies: [4, 6] }));
      expect(await host.other.network.callInVain("tcp", "10.9.0.2", 7000)).toBe("none: silence");
      await backend.replace(state({ bridges: [bridge("bra")], reopenedFamilies: [4, 6] }));
      await host.neighbour.run("ip", "route", "replace", "172.30.2.0/24", "via", "10.9.0.1");
      expect(await host.other.network.call("tcp", "10.9.0.2", 7000)).toBe("neighbour 172.30.2.2 5");
      await command("ip", "link", "delete", "brc");
      expect(await callInVain("tcp", "10.9.0.1", 8020)).toBe("none: ECONNREFUSED");
    });
  });
}
