import { expect, test } from "bun:test";
import { Claims } from "../../../../src/network/cluster/claims.ts";
import { Etcd } from "../../../../src/network/cluster/etcd.ts";
import { FakeEtcd } from "../../../fakes/etcd.ts";
import { until } from "../../../fakes/until.ts";

function claimsOn(store: FakeEtcd) {
  const etcd = new Etcd({ endpoints: [store.url] });
  return new Claims(etcd, { ttlSeconds: 1, log: () => {}, onSilence: () => {} });
}

test("what is put is there under a lease", async () => {
  using store = new FakeEtcd();
  await using claims = claimsOn(store);
  await claims.put("/a", "1");
  expect(store.entries.get("/a")).toMatchObject({ value: "1", lease: store.leases[0] });
});

test("of two hosts that want a key one gets it", async () => {
  using store = new FakeEtcd();
  await using one = claimsOn(store);
  await using other = claimsOn(store);
  const got = await Promise.all([one.take("/a", "one"), other.take("/a", "other")]);
  expect(got.filter(Boolean)).toHaveLength(1);
  expect(store.value("/a")).toBe(got[0] ? "one" : "other");
});

test("a host does not give the same key twice, but takes over what an earlier life of it had", async () => {
  using store = new FakeEtcd();
  store.set("/a", "me");
  await using claims = claimsOn(store);
  expect([await claims.take("/a", "me"), await claims.take("/a", "me")]).toEqual([true, false]);
  expect(store.entries.get("/a")?.lease).toBe(store.leases[0] ?? "none");
});

test("an answer that was lost is asked for again and counts once", async () => {
  using store = new FakeEtcd();
  const etcd = new Etcd({ endpoints: [store.url, store.url] });
  await using claims = new Claims(etcd, { ttlSeconds: 60, log: () => {}, onSilence: () => {} });
  await claims.put("/b", "1");
  store.loseReplies("/v3/kv/txn", 1);
  expect(await claims.take("/a", "me")).toBe(true);
});

test("when the store forgot the lease all keys are put again under a new one", async () => {
  using store = new FakeEtcd();
  await using claims = claimsOn(store);
  claims.start();
  await claims.put("/a", "1");
  await claims.put("/b", "2");
  store.expire(store.leases[0] ?? "");
  expect(store.value("/a")).toBeUndefined();
  await until(() => store.value("/a") === "1" && store.value("/b") === "2");
});

test("a key given back while the store does not answer goes when it does", async () => {
  using store = new FakeEtcd();
  await using claims = claimsOn(store);
  claims.start();
  await claims.put("/a", "1");
  await store.stop();
  await claims.give("/a");
  store.start();
  await until(() => store.value("/a") === undefined);
});

test("what cannot be taken for silence of the store is no claim, and leaves none", async () => {
  using store = new FakeEtcd();
  await using claims = claimsOn(store);
  claims.start();
  await claims.put("/b", "1");
  store.loseReplies("/v3/kv/txn", 1);
  expect(claims.take("/a", "me")).rejects.toMatchObject({ kind: "unavailable" });
  await until(() => store.value("/a") === "me");
  await until(() => store.value("/a") === undefined);
});

test("without keys the lease is given back at the end, with keys it is left to its time", async () => {
  using store = new FakeEtcd();
  const empty = claimsOn(store);
  await empty.put("/a", "1");
  await empty.leave(false);
  expect(store.value("/a")).toBeUndefined();
  const used = claimsOn(store);
  await used.put("/b", "1");
  await used.leave(true);
  expect(store.value("/b")).toBe("1");
});
