import { afterAll, describe, expect, test } from "bun:test";
import { Containers } from "#container";
import { GraphDB } from "#graphdb";
import { recordOf } from "../../fakes/containers.ts";
import { scratch } from "../../fakes/scratch.ts";

const ONE = `aa11${"0".repeat(60)}`;
const TWO = `aa22${"0".repeat(60)}`;

const roots: AsyncDisposable[] = [];
afterAll(() => Promise.all(roots.map((root) => root[Symbol.asyncDispose]())));

async function opened() {
  const root = await scratch();
  roots.push(root);
  const path = `${root.path}/bunker.db`;
  const db = new GraphDB(path);
  return { path, db, containers: new Containers(db) };
}

function create(containers: Containers, id: string, name: string): void {
  using reserved = containers.reserve(id, name);
  containers.create(recordOf(id, { name: reserved.name }));
}

describe("containers", () => {
  test("are found by id, by name with and without its slash, and by unique prefix", async () => {
    const { containers } = await opened();
    create(containers, ONE, "web");
    create(containers, TWO, "db");
    for (const ref of [ONE, "web", "/web", "aa11", "aa1"]) expect(containers.find(ref).id).toBe(ONE);
    expect(() => containers.find("aa")).toThrow("multiple IDs found with provided prefix: aa");
    expect(() => containers.find("no")).toThrow("No such container: no");
    expect(() => containers.find("")).toThrow("No such container");
  });

  test("prefer a name to the prefix of another one's id", async () => {
    const { containers } = await opened();
    create(containers, ONE, "web");
    create(containers, TWO, "aa11");
    expect(containers.find("aa11").id).toBe(TWO);
  });

  test("outlive the store, with their names", async () => {
    const { containers, path, db } = await opened();
    create(containers, ONE, "web");
    containers.change(ONE, (one) => ({ ...one, restartCount: 3 }));
    containers.rename(ONE, "site");
    db[Symbol.dispose]();
    using again = new GraphDB(path);
    const reopened = new Containers(again);
    expect(reopened.find("site").restartCount).toBe(3);
    expect(() => reopened.reserve(TWO, "site")).toThrow("is already in use");
    expect(() => reopened.find("web")).toThrow("No such container");
  });

  test("give a name to one of many that want it at the same time", async () => {
    const { containers } = await opened();
    using _first = containers.reserve(ONE, "web");
    expect(() => containers.reserve(TWO, "/web")).toThrow(
      `Conflict. The container name "/web" is already in use by container "${ONE}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  });

  test("free a name whose container was not made", async () => {
    const { containers } = await opened();
    containers.reserve(ONE, "web")[Symbol.dispose]();
    expect(containers.reserve(TWO, "web").name).toBe("web");
  });

  test("refuse names that Docker refuses", async () => {
    const { containers } = await opened();
    for (const name of ["-a", "a", "a/b", "a b", "../etc", "ä", "a\u001b[31m"])
      expect(() => containers.reserve(ONE, name)).toThrow("only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
  });

  test("get random names of letters, then with digits", async () => {
    const { containers } = await opened();
    expect(containers.reserve(ONE).name).toMatch(/^[a-z]+_[a-z]+$/);
  });

  test("are damaged alone when a row cannot be read", async () => {
    const { containers, path, db } = await opened();
    create(containers, ONE, "web");
    create(containers, TWO, "db");
    db.sql.query("UPDATE container SET record = '{' WHERE id = ?").run(ONE);
    db[Symbol.dispose]();
    using again = new GraphDB(path);
    const reopened = new Containers(again);
    expect(reopened.list().map(({ id }) => id)).toEqual([TWO]);
    expect([...reopened.damaged.keys()]).toEqual([ONE]);
  });

  test("are not renamed to the name of another, and keep their own", async () => {
    const { containers } = await opened();
    create(containers, ONE, "web");
    create(containers, TWO, "db");
    expect(() => containers.rename(ONE, "db")).toThrow(`by container "${TWO}"`);
    expect(containers.find("web").id).toBe(ONE);
    expect(() => containers.rename(ONE, "no/name")).toThrow("Invalid container name");
  });

  test("free the name they were renamed from", async () => {
    const { containers } = await opened();
    create(containers, ONE, "web");
    containers.rename(ONE, "site");
    create(containers, TWO, "web");
    expect(containers.find("web").id).toBe(TWO);
    expect(containers.find("site").id).toBe(ONE);
  });

  test("leave nothing when a create fails in the database", async () => {
    const { containers, db } = await opened();
    create(containers, ONE, "web");
    expect(() => containers.create(recordOf(ONE, { name: "other" }))).toThrow();
    expect(db.edges.child("container-name", "/", "other")).toBeUndefined();
  });
});

describe("a held container", () => {
  test("is one job's at a time, in order", async () => {
    const { containers } = await opened();
    create(containers, ONE, "web");
    const first = await containers.hold("web");
    const order: string[] = [];
    const second = containers.hold("web").then((held) => {
      order.push("second");
      return held;
    });
    order.push("first");
    await first[Symbol.asyncDispose]();
    await (await second)[Symbol.asyncDispose]();
    expect(order).toEqual(["first", "second"]);
  });

  test("is not waited for by who gives up, and the next gets it", async () => {
    const { containers } = await opened();
    create(containers, ONE, "web");
    const first = await containers.hold("web");
    const controller = new AbortController();
    const given = containers.hold("web", controller.signal);
    const third = containers.hold("web");
    controller.abort(new Error("gone"));
    expect(given).rejects.toThrow("gone");
    await first[Symbol.asyncDispose]();
    expect((await third).id).toBe(ONE);
  });

  test("that is removed meanwhile is no more for the next", async () => {
    const { containers } = await opened();
    create(containers, ONE, "web");
    const first = await containers.hold("web");
    const second = containers.hold("web");
    containers.remove(ONE);
    await first[Symbol.asyncDispose]();
    expect(second).rejects.toThrow("No such container: web");
    await second.catch(() => {});
  });

  test("shows the record as it is now", async () => {
    const { containers } = await opened();
    create(containers, ONE, "web");
    await using held = await containers.hold("web");
    containers.change(ONE, (one) => ({ ...one, restartCount: 9 }));
    expect(held.container.restartCount).toBe(9);
  });
});

test("only one may remove a container (C7)", async () => {
  const { containers } = await opened();
  create(containers, ONE, "web");
  const claim = containers.claimRemoval("web");
  expect(() => containers.claimRemoval("web")).toThrow("removal of container web is already in progress");
  claim[Symbol.dispose]();
  expect(containers.claimRemoval("web").id).toBe(ONE);
});
