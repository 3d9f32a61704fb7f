import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { GraphDB } from "#graphdb";
import { LocalVolumes } from "#volume";
import { scratch } from "../../fakes/scratch.ts";

const roots: AsyncDisposable[] = [];
afterAll(() => Promise.all(roots.map((root) => root[Symbol.asyncDispose]())));

async function house() {
  const root = await scratch();
  roots.push(root);
  const db = new GraphDB(":memory:");
  return { db, root: `${root.path}/volumes`, volumes: new LocalVolumes(db, `${root.path}/volumes`) };
}

describe("volumes", () => {
  test("are folders by their name, and listed by it", async () => {
    const { volumes, root } = await house();
    volumes.create({ name: "b2", labels: { a: "1" } });
    volumes.create({ name: "a1" });
    expect(volumes.list().map(({ name }) => name)).toEqual(["a1", "b2"]);
    expect(volumes.find("b2")).toMatchObject({
      driver: "local",
      mountpoint: `${root}/b2/_data`,
      labels: { a: "1" },
      isAnonymous: false,
    });
    expect(existsSync(`${root}/b2/_data`)).toBe(true);
  });

  test("are made once: again by name is the same one", async () => {
    const { volumes } = await house();
    const first = volumes.create({ name: "data", labels: { a: "1" } });
    expect(volumes.create({ name: "data" })).toEqual(first);
    expect(() => volumes.create({ name: "data", driver: "nfs" })).toThrow(
      "already exists with the driver local",
    );
  });

  test("without a name are anonymous", async () => {
    const { volumes } = await house();
    const volume = volumes.create({});
    expect(volume.name).toMatch(/^[0-9a-f]{64}$/);
    expect(volume.isAnonymous).toBe(true);
  });

  test("outlive the store, with those who use them", async () => {
    const { db, root, volumes } = await house();
    volumes.create({ name: "data" });
    volumes.hold("data", "c1");
    const reopened = new LocalVolumes(db, root);
    expect(reopened.usersOf("data")).toEqual(["c1"]);
    expect(reopened.find("data")).toEqual(volumes.find("data"));
  });

  test("whose removal was cut short are gone with the next sweep, with their name and content", async () => {
    const { db, root, volumes } = await house();
    const { mountpoint } = volumes.create({ name: "data" });
    await writeFile(`${mountpoint}/old`, "");
    const record = JSON.stringify({ ...volumes.find("data"), isRemoving: true });
    db.sql.query("UPDATE volume SET record = ? WHERE name = 'data'").run(record);
    const reopened = new LocalVolumes(db, root);
    expect(reopened.list()).toEqual([]);
    expect(await reopened.sweep(new Set())).toEqual(["data"]);
    expect(existsSync(`${root}/data`)).toBe(false);
    expect(new LocalVolumes(db, root).list()).toEqual([]);
  });

  test("made for a container that then was not are swept, and no data of others", async () => {
    const { db, root, volumes } = await house();
    const [anonymous, kept] = [volumes.create({}), volumes.create({})];
    volumes.create({ name: "named" });
    for (const name of [anonymous.name, "named"]) volumes.hold(name, "never");
    const both = volumes.create({ holder: "never" });
    await mkdir(`${kept.mountpoint}/../.part`);
    volumes.hold(kept.name, "lives");
    await mkdir(`${root}/empty/_data`, { recursive: true });
    await mkdir(`${root}/full/_data`, { recursive: true });
    await writeFile(`${root}/full/_data/x`, "");
    const reopened = new LocalVolumes(db, root);
    expect([...(await reopened.sweep(new Set(["lives"])))].sort()).toEqual(
      [anonymous.name, both.name].sort(),
    );
    expect(readdirSync(`${root}/${kept.name}`)).toEqual(["_data"]);
    expect(reopened.list().map(({ name }) => name)).toEqual([kept.name, "named"].sort());
    expect(reopened.usersOf("named")).toEqual([]);
    expect([existsSync(`${root}/empty`), existsSync(`${root}/full/_data/x`)]).toEqual([false, true]);
  });

  test("in use cannot go, and say by whom", async () => {
    const { volumes } = await house();
    volumes.create({ name: "data" });
    volumes.hold("data", "c1");
    volumes.hold("data", "c2");
    expect(volumes.remove("data")).rejects.toThrow("remove data: volume is in use - [c1, c2]");
    volumes.release("c1");
    volumes.release("c2");
    await volumes.remove("data");
    expect(volumes.find("data")).toBeUndefined();
  });

  test("go with their folder", async () => {
    const { volumes, root } = await house();
    const { mountpoint } = volumes.create({ name: "data" });
    await writeFile(`${mountpoint}/file`, "");
    await volumes.remove("data");
    expect(existsSync(`${root}/data`)).toBe(false);
    expect(volumes.remove("data")).rejects.toThrow("get data: no such volume");
    await volumes.remove("data", { force: true });
  });

  test("know whether they are empty", async () => {
    const { volumes } = await house();
    const { mountpoint } = volumes.create({ name: "data" });
    expect(await volumes.isEmpty("data")).toBe(true);
    await writeFile(`${mountpoint}/file`, "");
    expect(await volumes.isEmpty("data")).toBe(false);
  });

  test("leave no folder when their row cannot be written", async () => {
    const { db, volumes, root } = await house();
    db.sql.run("DROP TABLE volume_use");
    db.sql.run("DROP TABLE volume");
    expect(() => volumes.create({ name: "data" })).toThrow();
    expect(existsSync(`${root}/data`)).toBe(false);
    expect(volumes.find("data")).toBeUndefined();
  });

  for (const name of ["../x", "a/b", ".hidden", "a", "x".repeat(256), "a b", "/abs"])
    test(`are refused the name "${name.slice(0, 20)}"`, async () => {
      const { volumes } = await house();
      expect(() => volumes.create({ name })).toThrow("includes invalid characters for a local volume name");
    });

  test("of another driver, and options that have no effect here, are refused", async () => {
    const { volumes } = await house();
    expect(() => volumes.create({ name: "data", driver: "nfs" })).toThrow('plugin "nfs" not found');
    expect(() => volumes.create({ name: "data", options: { type: "nfs" } })).toThrow(
      'the option "type" is not supported',
    );
  });
});
