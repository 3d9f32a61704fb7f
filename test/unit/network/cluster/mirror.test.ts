import { expect, test } from "bun:test";
import { Etcd } from "../../../../src/network/cluster/etcd.ts";
import { Mirror } from "../../../../src/network/cluster/mirror.ts";
import { FakeEtcd } from "../../../fakes/etcd.ts";
import { until } from "../../../fakes/until.ts";

/** A mirror, and all that it told. */
function mirrorOf(store: FakeEtcd) {
  const told: string[] = [];
  const listener = {
    put: (key: string, value: string) => told.push(`${key}=${value}`),
    remove: (key: string, last: string) => told.push(`-${key}(${last})`),
    ready: () => told.push("ready"),
  };
  const mirror = new Mirror(new Etcd({ endpoints: [store.url] }), "/t/", { listener, log: () => {} });
  mirror.start();
  return { mirror, told };
}

test("what is there is told first, then what changes, and nothing beside the prefix", async () => {
  using store = new FakeEtcd();
  store.set("/t/a", "1");
  store.set("/u/x", "no");
  const { mirror, told } = mirrorOf(store);
  await using _ = mirror;
  await until(() => store.watchers === 1);
  store.set("/t/b", "2");
  store.set("/u/y", "no");
  store.unset("/t/a");
  store.set("/t/b", "3");
  await until(() => told.length === 5);
  expect(told).toEqual(["a=1", "ready", "b=2", "-a(1)", "b=3"]);
  expect(mirror.below("")).toEqual([["b", "3"]]);
});

test("a watch that broke is resumed where it was: nothing is missed and nothing told twice", async () => {
  using store = new FakeEtcd();
  store.set("/t/a", "1");
  const { mirror, told } = mirrorOf(store);
  await using _ = mirror;
  await until(() => store.watchers === 1);
  await store.stop();
  store.set("/t/b", "2");
  store.unset("/t/a");
  store.start();
  await until(() => told.length === 4);
  expect(told).toEqual(["a=1", "ready", "b=2", "-a(1)"]);
  expect(store.asked.filter((path) => path === "/v3/kv/range")).toHaveLength(1);
});

test("after a compaction a fresh listing tells the difference alone", async () => {
  using store = new FakeEtcd();
  for (const key of ["stays", "changes", "goes"]) store.set(`/t/${key}`, "1");
  const { mirror, told } = mirrorOf(store);
  await using _ = mirror;
  await until(() => store.watchers === 1);
  await store.stop();
  store.set("/t/changes", "2");
  store.unset("/t/goes");
  store.set("/t/new", "1");
  store.compact();
  store.start();
  await until(() => told.length === 7);
  expect(told.slice(4).sort()).toEqual(["-goes(1)", "changes=2", "new=1"]);
});

test("while the store does not answer at first, it is asked again until it does", async () => {
  using store = new FakeEtcd();
  store.set("/t/a", "1");
  await store.stop();
  const { mirror, told } = mirrorOf(store);
  await using _ = mirror;
  expect(mirror.isReady).toBe(false);
  store.start();
  await until(() => told.includes("ready"));
  expect(told).toEqual(["a=1", "ready"]);
});
