import { describe, expect, test } from "bun:test";
import type { FirewallBackend, FirewallChange, FirewallState, FirewallWatch } from "#network";
import { Firewall } from "../../../src/network/firewall/firewall.ts";

const port = {
  family: 4,
  protocol: "tcp",
  hostAddress: "0.0.0.0",
  hostPort: 8020,
  address: "172.17.0.2",
  containerPort: 80,
  isTranslated: true,
  isDirect: false,
} as const;
const forwarding = (containerId: string, bridge = "a") => ({
  containerId,
  bridge,
  ports: [port],
  passages: [],
});
const bridge = (name: string, isInternal = false) => ({
  name,
  isInternal,
  subnets: [],
  isOpenInside: true,
  trustedInterfaces: [],
});
const said = ({ bridges, forwardings }: Pick<FirewallState, "bridges" | "forwardings">) =>
  [...bridges.map(({ name }) => name), ...forwardings.map(({ containerId }) => containerId)].join();

/** Notes what it is told; `gate` holds a change back, `failing` makes changes fail. */
class NotedBackend implements FirewallBackend {
  readonly name = "noted";
  readonly notes: string[] = [];
  gate: Promise<void> = Promise.resolve();
  failing = false;
  lacking: string | undefined;

  missing() {
    return this.lacking;
  }

  async replace(state: FirewallState) {
    this.notes.push(`replace ${said(state)}`);
  }

  async change({ add, remove }: FirewallChange) {
    await this.gate;
    if (this.failing) throw new Error("a rule is not there");
    this.notes.push(`add ${said(add)} remove ${said(remove)}`);
  }

  async clear() {
    this.notes.push("clear");
  }

  async isIntact() {
    return true;
  }

  watch(): FirewallWatch {
    return { look: () => undefined, own: (work) => work(), [Symbol.dispose]: () => {} };
  }
}

const NONE = { families: [4], others: () => [] } as const;

async function begun(): Promise<{ backend: NotedBackend; firewall: Firewall }> {
  const backend = new NotedBackend();
  const firewall = new Firewall(backend, () => {}, NONE);
  await firewall.addBridge(bridge("a"));
  await firewall.begin();
  backend.notes.length = 0;
  return { backend, firewall };
}

describe("the firewall", () => {
  test("takes note of all until it begins, and says it at once", async () => {
    const backend = new NotedBackend();
    const firewall = new Firewall(backend, () => {}, NONE);
    await firewall.addBridge(bridge("a"), [forwarding("x")]);
    await firewall.addBridge(bridge("b"));
    await firewall.publish(forwarding("y"));
    expect(backend.notes).toEqual([]);
    await firewall.begin();
    expect(backend.notes).toEqual(["replace a,b,x,y"]);
  });

  test("clears what earlier starts left elsewhere, and begins though that fails", async () => {
    const backend = new NotedBackend();
    const other = new NotedBackend();
    const failing = { name: "broken", clear: () => Promise.reject(new Error("no")) };
    const firewall = new Firewall(backend, () => {}, { families: [4], others: () => [failing, other] });
    await firewall.begin();
    await firewall.begin();
    expect([other.notes, backend.notes]).toEqual([["clear"], ["replace ", "replace "]]);
  });

  test("does changes that come while one is under way all together", async () => {
    const { backend, firewall } = await begun();
    const gate = Promise.withResolvers<void>();
    backend.gate = gate.promise;
    const first = firewall.publish(forwarding("x"));
    await Promise.resolve();
    const others = ["y", "z"].map((id) => firewall.publish(forwarding(id)));
    const gone = firewall.withdraw("x", "a");
    const more = firewall.addBridge(bridge("b"));
    gate.resolve();
    await Promise.all([first, ...others, gone, more]);
    expect(backend.notes).toEqual(["add x remove ", "add b,y,z remove x"]);
  });

  test("does not say what is taken back before it was said", async () => {
    const { backend, firewall } = await begun();
    const both = [firewall.publish(forwarding("x")), firewall.withdraw("x", "a")];
    await Promise.all(both);
    expect(backend.notes).toEqual([]);
  });

  test("says nothing of what is so already, and changes what is said of a bridge", async () => {
    const { backend, firewall } = await begun();
    await firewall.publish(forwarding("x"));
    await firewall.publish(forwarding("x"));
    await firewall.addBridge(bridge("a"), [forwarding("x")]);
    expect(backend.notes).toEqual(["add x remove "]);
    await firewall.addBridge(bridge("a", true));
    expect(backend.notes).toEqual(["add x remove ", "add a remove a,x"]);
  });

  test("a bridge goes with its ports, and the last one with everything", async () => {
    const { backend, firewall } = await begun();
    await firewall.addBridge(bridge("b"), [forwarding("x", "b")]);
    await firewall.removeBridge("b");
    await firewall.removeBridge("a");
    await firewall.removeBridge("a");
    expect(backend.notes).toEqual(["add b,x remove ", "add  remove b,x", "replace "]);
    expect(firewall.isEmpty).toBe(true);
  });

  test("makes all rules again when they are not as they were left", async () => {
    const { backend, firewall } = await begun();
    await firewall.publish(forwarding("x"));
    backend.failing = true;
    await firewall.publish(forwarding("y"));
    expect(backend.notes).toEqual(["add x remove ", "replace a,x,y"]);
  });

  test("asks for nothing when a container without ports goes, or where there is no firewall", async () => {
    const { backend, firewall } = await begun();
    await firewall.withdraw("x", "a");
    expect(backend.notes).toEqual([]);
    const lacking = new NotedBackend();
    lacking.lacking = "iptables-restore is not installed on this host";
    const idle = new Firewall(lacking, () => {}, NONE);
    await idle.addBridge(bridge("a"));
    await idle.begin();
    await idle.publish(forwarding("x"));
    await idle.clear();
    expect([lacking.notes, idle.missing()]).toEqual([[], lacking.lacking]);
    const unwanted = new Firewall(lacking, () => {}, { families: [], others: () => [] });
    expect([unwanted.missing(), unwanted.handles(4)]).toEqual([undefined, false]);
  });

  test("tells the caller when even making all again fails, and goes on afterwards", async () => {
    const { backend, firewall } = await begun();
    backend.failing = true;
    backend.replace = async () => {
      throw new Error("no rules at all");
    };
    expect(firewall.publish(forwarding("x"))).rejects.toThrow("no rules at all");
    await firewall.publish(forwarding("y")).catch(() => {});
    backend.failing = false;
    await firewall.withdraw("x", "a");
    expect(backend.notes).toEqual(["add  remove x"]);
  });
});
