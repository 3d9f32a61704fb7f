import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { GraphDB } from "#graphdb";
import { scratch } from "../../fakes/scratch.ts";

test("what was written is there after the next open", async () => {
  await using place = await scratch();
  {
    using database = new GraphDB(`${place.path}/x.db`);
    database.transaction(() => database.edges.link("image-tag", { parent: "r", name: "t", child: "i" }));
  }
  using database = new GraphDB(`${place.path}/x.db`);
  expect(database.edges.child("image-tag", "r", "t")).toBe("i");
});

test("a transaction that throws leaves nothing", () => {
  using database = new GraphDB(":memory:");
  const work = () => {
    database.edges.link("image-tag", { parent: "r", name: "t", child: "i" });
    throw new Error("cut");
  };
  expect(() => database.transaction(work)).toThrow("cut");
  expect(() => database.transaction(work, { durable: false })).toThrow("cut");
  expect(database.edges.all("image-tag")).toEqual([]);
});

test("after a transaction that need not be durable the next one is again", () => {
  using database = new GraphDB(":memory:");
  const level = () => database.sql.query("PRAGMA synchronous").get();
  const before = level();
  database.transaction(() => {}, { durable: false });
  expect(level()).toEqual(before);
  expect(before).toEqual({ synchronous: 2 });
});

test("under one parent and kind a name is taken once", () => {
  using database = new GraphDB(":memory:");
  const { edges } = database;
  expect(edges.link("container-name", { parent: "/", name: "web", child: "1" })).toBe(true);
  expect(edges.link("container-name", { parent: "/", name: "web", child: "2" })).toBe(false);
  expect(edges.link("network-name", { parent: "/", name: "web", child: "3" })).toBe(true);
  edges.move("container-name", { parent: "/", name: "web", child: "4" });
  expect(edges.child("container-name", "/", "web")).toBe("4");
  expect(edges.to("container-name", "4")).toEqual([{ parent: "/", name: "web", child: "4" }]);
  expect([edges.unlink("container-name", "/", "web"), edges.unlink("container-name", "/", "web")]).toEqual([
    true,
    false,
  ]);
});

test("a file of a newer bunker is refused and stays as it is", async () => {
  await using place = await scratch();
  const path = `${place.path}/x.db`;
  {
    using newer = new Database(path, { create: true });
    newer.run("PRAGMA user_version = 9999");
  }
  expect(() => new GraphDB(path)).toThrow("a newer bunker wrote it");
  using same = new Database(path);
  expect(same.query("PRAGMA user_version").get()).toEqual({ user_version: 9999 });
});

test("a file that is no database is refused", async () => {
  await using place = await scratch();
  await writeFile(`${place.path}/x.db`, "this is not a database, whatever its name says".repeat(100));
  expect(() => new GraphDB(`${place.path}/x.db`)).toThrow();
});

test("a name leads where the last write that counted pointed it", () => {
  using database = new GraphDB(":memory:");
  const { edges } = database;
  const child = () => edges.child("container-name", "", "web");
  expect(child()).toBeUndefined();
  edges.link("container-name", { parent: "", name: "web", child: "a" });
  expect([child(), child()]).toEqual(["a", "a"]);
  edges.move("container-name", { parent: "", name: "web", child: "b" });
  expect(child()).toBe("b");
  const undone = () =>
    database.transaction(() => {
      edges.move("container-name", { parent: "", name: "web", child: "c" });
      expect(child()).toBe("c");
      throw new Error("undone");
    });
  expect(undone).toThrow("undone");
  expect(child()).toBe("b");
  const partly = () => {
    try {
      database.transaction(() => {
        edges.unlink("container-name", "", "web");
        expect(child()).toBeUndefined();
        throw new Error("undone");
      });
    } catch {
      return child();
    }
  };
  expect(database.transaction(partly)).toBe("b");
  edges.unlinkChild("container-name", "b");
  expect(child()).toBeUndefined();
});
