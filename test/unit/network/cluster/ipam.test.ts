import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster } from "../../../../src/network/cluster/cluster.ts";
import { EtcdIpam } from "../../../../src/network/cluster/ipam.ts";
import { readClusterSettings } from "../../../../src/network/cluster/settings.ts";
import { FakeEtcd } from "../../../fakes/etcd.ts";

/** A host of its own on the store. */
function hostOn(store: FakeEtcd): { ipam: EtcdIpam; cluster: Cluster } & AsyncDisposable {
  const stateDirectory = mkdtempSync(join(tmpdir(), "cluster-"));
  const settings = readClusterSettings({ store: `etcd://${store.host}`, advertise: "10.9.9.9", options: {} });
  const cluster = new Cluster({ settings, stateDirectory, log: () => {} });
  return {
    cluster,
    ipam: new EtcdIpam(cluster, () => []),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      rmSync(stateDirectory, { recursive: true });
    },
  };
}

const any = { family: 4, subnet: "", range: "", options: {} } as const;
const plain = { address: "", options: {} };

describe("subnets", () => {
  test("of two hosts at the same moment do not overlap", async () => {
    using store = new FakeEtcd();
    await using one = hostOn(store);
    await using other = hostOn(store);
    const requests = [one, other, one, other].map(({ ipam }) => ipam.requestPool(any));
    const subnets = (await Promise.all(requests)).map(({ subnet }) => subnet);
    expect(subnets.toSorted()).toEqual(["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]);
  });

  test("that are asked for and overlap one in use are refused, and can be had once it is released", async () => {
    using store = new FakeEtcd();
    await using one = hostOn(store);
    await using other = hostOn(store);
    const { poolId } = await one.ipam.requestPool({ ...any, subnet: "10.7.0.0/16" });
    const again = () => other.ipam.requestPool({ ...any, subnet: "10.7.3.0/24" });
    expect(again()).rejects.toMatchObject({
      kind: "conflict",
      message: expect.stringContaining("Pool overlaps"),
    });
    await one.ipam.releasePool(poolId);
    expect((await again()).subnet).toBe("10.7.3.0/24");
  });

  test.each([
    [{ subnet: "10.7.0.0/33" }, "invalid"],
    [{ subnet: "fd00::/64" }, "invalid"],
    [{ subnet: "10.7.0.0/24", range: "10.8.0.0/25" }, "invalid"],
    [{ range: "10.8.0.0/25" }, "invalid"],
  ])("%j is %s", async (request, kind) => {
    using store = new FakeEtcd();
    await using one = hostOn(store);
    expect(one.ipam.requestPool({ ...any, ...request })).rejects.toMatchObject({ kind });
    expect(store.entries.size).toBe(0);
  });

  test("of IPv6 are random ones of 64 bits", async () => {
    using store = new FakeEtcd();
    await using one = hostOn(store);
    const { subnet } = await one.ipam.requestPool({ ...any, family: 6 });
    expect(subnet).toMatch(/^fd[0-9a-f]{2}:.*::\/64$/);
  });
});

describe("addresses", () => {
  test("of two hosts at the same moment differ, and the gateway is not among them", async () => {
    using store = new FakeEtcd();
    await using one = hostOn(store);
    await using other = hostOn(store);
    const { poolId } = await one.ipam.requestPool({ ...any, subnet: "10.7.0.0/28" });
    const options = { RequestAddressType: "com.docker.network.gateway" };
    expect(await one.ipam.requestAddress(poolId, { address: "", options })).toBe("10.7.0.1");
    const hosts = Array.from({ length: 13 }, (_, index) => (index % 2 === 0 ? one : other));
    const given = await Promise.all(hosts.map(({ ipam }) => ipam.requestAddress(poolId, plain)));
    const last = (text: string) => Number(text.split(".")[3]);
    expect(given.map(last).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 13 }, (_, index) => index + 2),
    );
    expect(other.ipam.requestAddress(poolId, plain)).rejects.toMatchObject({ kind: "unavailable" });
    await one.ipam.releaseAddress(poolId, given[0] ?? "");
    expect(await other.ipam.requestAddress(poolId, plain)).toBe(given[0] ?? "");
  });

  test("that are asked for are given once over all hosts", async () => {
    using store = new FakeEtcd();
    await using one = hostOn(store);
    await using other = hostOn(store);
    const { poolId } = await one.ipam.requestPool({ ...any, subnet: "10.7.0.0/24", range: "10.7.0.128/25" });
    const request = { address: "10.7.0.9", options: {} };
    expect(await one.ipam.requestAddress(poolId, request)).toBe("10.7.0.9");
    expect(other.ipam.requestAddress(poolId, request)).rejects.toMatchObject({ kind: "conflict" });
    const outside = { address: "10.8.0.9", options: {} };
    expect(other.ipam.requestAddress(poolId, outside)).rejects.toMatchObject({ kind: "invalid" });
    expect(await other.ipam.requestAddress(poolId, plain)).toBe("10.7.0.128");
  });

  test("of a host go with its lease, the subnet and the gateway do not", async () => {
    using store = new FakeEtcd();
    await using one = hostOn(store);
    const { poolId } = await one.ipam.requestPool({ ...any, subnet: "10.7.0.0/24" });
    const options = { RequestAddressType: "com.docker.network.gateway" };
    await one.ipam.requestAddress(poolId, { address: "10.7.0.254", options });
    await one.ipam.requestAddress(poolId, plain);
    store.expire(store.leases[0] ?? "");
    expect([...store.entries.keys()].filter((key) => key.includes("/addresses/"))).toEqual([]);
    await using other = hostOn(store);
    const gateway = { address: "10.7.0.254", options: {} };
    expect(other.ipam.requestAddress(poolId, gateway)).rejects.toMatchObject({ kind: "conflict" });
  });

  test("of running containers are this host's again after a start of the daemon", async () => {
    using store = new FakeEtcd();
    await using one = hostOn(store);
    const { poolId } = await one.ipam.requestPool({ ...any, subnet: "10.7.0.0/24" });
    const address = await one.ipam.requestAddress(poolId, plain);
    const pool = { family: 4, subnet: "10.7.0.0/24", gateway: "10.7.0.1", range: "", auxiliary: {} } as const;
    const later = new EtcdIpam(one.cluster, () => []);
    await later.restore(pool, poolId, [address], "");
    expect(later.requestAddress(poolId, { address, options: {} })).rejects.toMatchObject({
      kind: "conflict",
    });
  });

  test("cannot be had while the store does not answer, and the reason is said", async () => {
    using store = new FakeEtcd();
    await using one = hostOn(store);
    const { poolId } = await one.ipam.requestPool(any);
    await store.stop();
    expect(one.ipam.requestAddress(poolId, plain)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("Cannot reach the cluster store at http://127.0.0.1:"),
    });
  });
});
