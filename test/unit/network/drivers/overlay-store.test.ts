import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Network } from "#network";
import { Cluster } from "../../../../src/network/cluster/cluster.ts";
import { readClusterSettings } from "../../../../src/network/cluster/settings.ts";
import { enterNetwork, removeNetwork } from "../../../../src/network/drivers/overlay/store.ts";
import { FakeEtcd } from "../../../fakes/etcd.ts";

const VNI = "com.docker.network.driver.overlay.vxlanid_list";

function clusterOn(store: FakeEtcd): Cluster & AsyncDisposable {
  const stateDirectory = mkdtempSync(join(tmpdir(), "cluster-"));
  const settings = readClusterSettings({ store: `etcd://${store.host}`, advertise: "10.9.9.9", options: {} });
  const cluster = new Cluster({ settings, stateDirectory, log: () => {} });
  rmSync(stateDirectory, { recursive: true });
  return cluster;
}

const network = (name: string, id: string, options: Record<string, string> = {}): Network => ({
  id: id.repeat(64),
  name,
  driver: "overlay",
  created: 1,
  scope: "global",
  ipam: { driver: "etcd", options: {}, pools: [] },
  options,
  labels: {},
  isInternal: false,
  isAttachable: false,
  isIpv4: true,
  isIpv6: false,
});

test("networks entered at the same moment have VXLAN ids of their own", async () => {
  using store = new FakeEtcd();
  await using cluster = clusterOn(store);
  const all = ["a", "b", "c"].map((id) => enterNetwork(cluster, network(`net-${id}`, id)));
  const vnis = (await Promise.all(all)).map(({ options }) => Number(options[VNI]));
  expect(vnis.toSorted()).toEqual([4096, 4097, 4098]);
});

test("a name, or an id that was asked for, is had once", async () => {
  using store = new FakeEtcd();
  await using cluster = clusterOn(store);
  await enterNetwork(cluster, network("net", "a", { [VNI]: "77" }));
  await expect(enterNetwork(cluster, network("net", "b"))).rejects.toThrow(
    /network with name net already exists/,
  );
  await expect(enterNetwork(cluster, network("other", "c", { [VNI]: "77" }))).rejects.toThrow(/VXLAN id 77/);
});

test("an answer that was lost does not make a second one of it", async () => {
  using store = new FakeEtcd();
  await using cluster = clusterOn(store);
  store.loseReplies("/v3/kv/txn", 1);
  await expect(enterNetwork(cluster, network("net", "a"))).rejects.toMatchObject({ kind: "unavailable" });
  expect((await enterNetwork(cluster, network("net", "a"))).name).toBe("net");
  expect([...store.entries.keys()].filter((key) => key.includes("/vnis/"))).toHaveLength(1);
});

test("one is removed with all of its keys, unless a container is on it; another's name stays", async () => {
  using store = new FakeEtcd();
  await using cluster = clusterOn(store);
  const made = await enterNetwork(cluster, network("net", "a"));
  await removeNetwork(cluster, network("net", "b"));
  expect(store.value("/bunker/names/net")).toBe(made.id);
  store.set(`/bunker/view/endpoints/${made.id}/1`, "{}");
  await expect(removeNetwork(cluster, made)).rejects.toMatchObject({ kind: "conflict" });
  store.unset(`/bunker/view/endpoints/${made.id}/1`);
  await removeNetwork(cluster, made);
  expect([...store.entries.keys()]).toEqual([]);
});
