import { expect, test } from "bun:test";
import { Containers } from "#container";
import { GraphDB } from "#graphdb";
import { recordOf } from "../../fakes/containers.ts";
import { scratch } from "../../fakes/scratch.ts";

const DB = "d".repeat(64);
const WEB = "e".repeat(64);

function create(containers: Containers, id: string, aliases: readonly string[] = []): void {
  using reserved = containers.reserve(id, `c${id.slice(0, 4)}`);
  containers.create(
    recordOf(id, { name: reserved.name }),
    aliases.map((alias) => ({ parent: id, alias, child: DB })),
  );
}

test("links outlive the store, and go with either container or by themselves", async () => {
  await using root = await scratch();
  const path = `${root.path}/bunker.db`;
  {
    using db = new GraphDB(path);
    const containers = new Containers(db);
    create(containers, DB);
    create(containers, WEB, ["store", "db"]);
  }
  using db = new GraphDB(path);
  const containers = new Containers(db);
  expect(containers.links.from(WEB).map(({ alias }) => alias)).toEqual(["db", "store"]);
  expect(containers.links.to(DB).length).toBe(2);
  expect(containers.links.remove(WEB, "store")).toBe(true);
  expect(containers.links.remove(WEB, "store")).toBe(false);
  expect(new Containers(db).links.from(WEB)).toEqual([{ parent: WEB, alias: "db", child: DB }]);
  containers.remove(DB);
  for (const one of [containers, new Containers(db)]) expect(one.links.from(WEB)).toEqual([]);
});

test("a container that cannot have its links is not made at all", async () => {
  await using root = await scratch();
  using db = new GraphDB(`${root.path}/bunker.db`);
  const containers = new Containers(db);
  create(containers, DB);
  expect(() => create(containers, WEB, ["db", "db"])).toThrow("the alias is used twice");
  expect(containers.links.from(WEB)).toEqual([]);
  expect(new Containers(db).list().map(({ id }) => id)).toEqual([DB]);
});
