import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { FakeEtcd } from "../../fakes/etcd.ts";
import { type ClusterHost, HUB, TestCluster } from "../../fixtures/cluster.ts";
import { run } from "../../fixtures/daemon.ts";
import { PATIENCE, until } from "../../fixtures/host-part.ts";
import { ESP, PacketCounter, type SeenPacket, UDP } from "../../fixtures/packet-counter.ts";

setDefaultTimeout(PATIENCE);
const VXLAN_PORTS = [4789, 4790];
const isVxlan = ({ protocol, destinationPort }: SeenPacket): boolean =>
  protocol === UDP && VXLAN_PORTS.includes(destinationPort);
const SECRETS = "/bunker/view/secrets";
const stack = new AsyncDisposableStack();
let store: FakeEtcd;
let cluster: TestCluster;

/** Whether this kernel has what encryption needs. */
async function hasEsp(): Promise<boolean> {
  const words = "xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x101 mode transport aead".split(
    " ",
  );
  const key = ["rfc4106(gcm(aes))", `0x${"00".repeat(36)}`, "128"];
  return (await run(["unshare", "--net", "--", "ip", ...words, ...key])).code === 0;
}
const esp = await hasEsp();

async function up({ daemon }: ClusterHost, name: string, network: string): Promise<void> {
  await daemon.ok("run", "-d", "--name", name, "--network", network, "busybox", "sleep", "3600");
}

async function reaches({ daemon }: ClusterHost, from: string, to: string): Promise<boolean> {
  return (await daemon.cli("exec", from, "ping", "-c", "1", "-W", "2", to)).code === 0;
}

const soon = (look: () => Promise<boolean>): Promise<void> => until(look, (isSo) => isSo);
const spis = async ({ namespace }: ClusterHost): Promise<readonly string[]> =>
  (await namespace.run("ip", "xfrm", "state")).match(/spi 0x[0-9a-f]+/g) ?? [];

beforeAll(async () => {
  stack.use(await TestCluster.wire());
  store = stack.use(new FakeEtcd(HUB));
  cluster = stack.use(await TestCluster.join(esp ? 2 : 1, `etcd://${store.host}`));
}, PATIENCE);
afterAll(async () => stack.disposeAsync(), PATIENCE);

if (!esp)
  test("without IPsec in the kernel an encrypted network is refused, and leaves nothing", async () => {
    const { daemon } = cluster.host(1);
    const { code, stderr } = await daemon.cli(
      "network",
      "create",
      "-d",
      "overlay",
      "--opt",
      "encrypted",
      "safe",
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining("its kernel has no IPsec ESP with AES-GCM")]);
    expect([...store.entries.keys()].filter((key) => /names|vnis|pools\//.test(key))).toEqual([]);
  });

describe.skipIf(!esp)(
  esp ? "an encrypted network" : "an encrypted network (skipped: no IPsec ESP here)",
  () => {
    test(
      "is ESP on the wire, and never plain",
      async () => {
        const [one, two] = [cluster.host(1), cluster.host(2)];
        using wire = new PacketCounter();
        await one.daemon.ok("network", "create", "-d", "overlay", "--opt", "encrypted", "safe");
        await soon(async () => (await two.daemon.ok("network", "ls", "-q", "--filter", "name=safe")) !== "");
        await up(one, "ann", "safe");
        await up(two, "bob", "safe");
        const seen: SeenPacket[] = [];
        await soon(async () => {
          // The kernel keeps few packets for who looks at them.
          seen.push(...wire.take());
          const isReached = await reaches(one, "ann", "bob");
          seen.push(...wire.take());
          return isReached;
        });
        expect(seen.some(({ protocol }) => protocol === ESP)).toBe(true);
        expect(seen.filter(isVxlan)).toEqual([]);
      },
      PATIENCE,
    );

    test(
      "goes on through a crash of a daemon and a new secret",
      async () => {
        const [one, two] = [cluster.host(1), cluster.host(2)];
        const before = await spis(two);
        await two.daemon.kill();
        await two.daemon.start();
        expect(await reaches(one, "ann", "bob")).toBe(true);
        expect(await spis(two)).toEqual(before);
        const { rotatedAt, secrets } = JSON.parse(store.value(SECRETS) ?? "");
        for (const fresh of ["11", "22"]) {
          secrets.push(fresh.repeat(32));
          store.set(SECRETS, JSON.stringify({ rotatedAt, secrets: secrets.slice(-3) }));
          await soon(
            async () =>
              (await spis(one)).length === 1 + secrets.length &&
              (await spis(two)).length === 1 + secrets.length,
          );
          expect(await reaches(one, "ann", "bob")).toBe(true);
        }
        expect((await spis(two)).filter((spi) => before.includes(spi)).length).toBeLessThan(before.length);
      },
      PATIENCE,
    );

    test(
      "hears nothing that comes plain",
      async () => {
        const [one, two] = [cluster.host(1), cluster.host(2)];
        using wire = new PacketCounter();
        await two.namespace.run("ip", "xfrm", "policy", "flush");
        expect(await reaches(two, "bob", "ann")).toBe(false);
        expect(wire.take().some(isVxlan)).toBe(true);
        await one.daemon.ok("rm", "-f", "ann");
        await two.daemon.ok("rm", "-f", "bob");
      },
      PATIENCE,
    );

    test(
      "leaves no association and no policy when it goes",
      async () => {
        await cluster.host(1).daemon.ok("network", "rm", "safe");
        for (const { namespace } of cluster.hosts)
          await soon(
            async () =>
              (await namespace.run("ip", "xfrm", "state")) + (await namespace.run("ip", "xfrm", "policy")) ===
              "",
          );
      },
      PATIENCE,
    );
  },
);
