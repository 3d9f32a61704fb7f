import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { GraphDB } from "#graphdb";
import { localVolumes, openVolumes } from "#volume";
import { scratch } from "../../fakes/scratch.ts";

const roots: AsyncDisposable[] = [];
afterAll(() => Promise.all(roots.map((root) => root[Symbol.asyncDispose]())));

async function house() {
  const root = await scratch();
  roots.push(root);
  const db = new GraphDB(":memory:");
  const folder = `${root.path}/volumes`;
  return { db, root: folder, volumes: await open(db, folder) };
}

async function open(database: GraphDB, root: string) {
  const complain = (sentence: string, cause: unknown) => {
    throw new Error(sentence, { cause });
  };
  return openVolumes({ database, root, kinds: [localVolumes], complain });
}

describe("volumes", () => {
  test("are folders by their name, and listed by it", async () => {
    const { volumes, root } = await house();
    await volumes.create({ name: "b2", labels: { a: "1" } });
    await volumes.create({ name: "a1" });
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
    const first = await volumes.create({ name: "data", labels: { a: "1" } });
    expect(await volumes.create({ name: "data" })).toEqual(first);
    await expect(volumes.create({ name: "data", driver: "nfs" })).rejects.toThrow(
      "already exists with the driver local",
    );
  });

  test("without a name are anonymous", async () => {
    const { volumes } = await house();
    const volume = await volumes.create({});
    expect(volume.name).toMatch(/^[0-9a-f]{64}$/);
    expect(volume.isAnonymous).toBe(true);
  });

  test("outlive the store, with those who use them", async () => {
    const { db, root, volumes } = await house();
    await volumes.create({ name: "data" });
    volumes.hold("data", "c1");
    const reopened = await open(db, root);
    expect(reopened.usersOf("data")).toEqual(["c1"]);
    expect(reopened.find("data")).toEqual(volumes.find("data"));
  });

  test("whose removal was cut short are gone with the next sweep, with their name and content", async () => {
    const { db, root, volumes } = await house();
    const { mountpoint } = await volumes.create({ name: "data" });
    await writeFile(`${mountpoint}/old`, "");
    const record = JSON.stringify({ ...volumes.find("data"), isRemoving: true });
    db.sql.query("UPDATE volume SET record = ? WHERE name = 'data'").run(record);
    const reopened = await open(db, root);
    expect(reopened.list()).toEqual([]);
    expect(await reopened.sweep(new Set(), new Set())).toEqual(["data"]);
    expect(existsSync(`${root}/data`)).toBe(false);
    expect((await open(db, root)).list()).toEqual([]);
  });

  test("made for a container that then was not are swept, and no data of others", async () => {
    const { db, root, volumes } = await house();
    const [anonymous, kept] = [await volumes.create({}), await volumes.create({})];
    await volumes.create({ name: "named" });
    for (const name of [anonymous.name, "named"]) volumes.hold(name, "never");
    const both = await volumes.create({ holder: "never" });
    await mkdir(`${kept.mountpoint}/../.making-x`);
    volumes.hold(kept.name, "lives");
    await mkdir(`${root}/empty/_data`, { recursive: true });
    await mkdir(`${root}/full/_data`, { recursive: true });
    await writeFile(`${root}/full/_data/x`, "");
    const reopened = await open(db, root);
    expect([...(await reopened.sweep(new Set(["lives"]), new Set()))].sort()).toEqual(
      [anonymous.name, both.name].sort(),
    );
    expect(readdirSync(`${root}/${kept.name}`)).toEqual(["_data"]);
    expect(reopened.list().map(({ name }) => name)).toEqual([kept.name, "named"].sort());
    expect(reopened.usersOf("named")).toEqual([]);
    expect([existsSync(`${root}/empty`), existsSync(`${root}/full/_data/x`)]).toEqual([false, true]);
  });

  test("in use cannot go, and say by whom", async () => {
    const { volumes } = await house();
    await volumes.create({ name: "data" });
    volumes.hold("data", "c1");
    volumes.hold("data", "c2");
    await expect(volumes.remove("data")).rejects.toThrow("remove data: volume is in use - [c1, c2]");
    volumes.release("c1");
    volumes.release("c2");
    await volumes.remove("data");
    expect(volumes.find("data")).toBeUndefined();
  });

  test("go with their folder", async () => {
    const { volumes, root } = await house();
    const { mountpoint } = await volumes.create({ name: "data" });
    await writeFile(`${mountpoint}/file`, "");
    await volumes.remove("data");
    expect(existsSync(`${root}/data`)).toBe(false);
    await expect(volumes.remove("data")).rejects.toThrow("get data: no such volume");
    await volumes.remove("data", { force: true });
  });

  test("know whether they are empty", async () => {
    const { volumes } = await house();
    const { mountpoint } = await volumes.create({ name: "data" });
    expect(await volumes.isEmpty("data")).toBe(true);
    await writeFile(`${mountpoint}/file`, "");
    expect(await volumes.isEmpty("data")).toBe(false);
  });

  test("leave no folder when their row cannot be written", async () => {
    const { db, volumes, root } = await house();
    db.sql.run("DROP TABLE volume_use");
    db.sql.run("DROP TABLE volume");
    await expect(volumes.create({ name: "data" })).rejects.toThrow();
    expect(existsSync(`${root}/data`)).toBe(false);
    expect(volumes.find("data")).toBeUndefined();
  });

  for (const name of ["../x", "a/b", ".hidden", "a", "x".repeat(256), "a b", "/abs"])
    test(`are refused the name "${name.slice(0, 20)}"`, async () => {
      const { volumes } = await house();
      await expect(volumes.create({ name })).rejects.toThrow(
        "includes invalid characters for a local volume name",
      );
    });

  test("of another driver, and with options that are not known, are refused", async () => {
    const { volumes } = await house();
    await expect(volumes.create({ name: "data", driver: "nfs" })).rejects.toThrow('plugin "nfs" not found');
    await expect(volumes.create({ name: "data", options: { speed: "high" } })).rejects.toThrow(
      'invalid option: "speed"',
    );
  });
});
