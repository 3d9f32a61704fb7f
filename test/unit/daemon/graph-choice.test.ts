import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { chooseGraphDriver, GRAPH_DRIVER_NAMES } from "../../../src/daemon/drivers.ts";
import { scratch } from "../../fakes/scratch.ts";

const silent = () => {};

test("what was used last is used again, and a reason is told for each that would come before it", async () => {
  await using root = await scratch();
  await mkdir(`${root.path}/vfs/layer`, { recursive: true });
  const { kind, passedOver } = await chooseGraphDriver(root.path, undefined, silent);
  expect(kind.name).toBe("vfs");
  expect(passedOver.map(([title]) => title)).toEqual(
    GRAPH_DRIVER_NAMES.filter((name) => name !== "vfs").map((name) => `Not ${name}`),
  );
  for (const [, reason] of passedOver) expect(reason).toMatch(/\S/);
  expect([existsSync(`${root.path}/.probe`), existsSync(`${root.path}/overlay2`)]).toEqual([false, false]);
});

test("nothing is passed over for the driver that was asked for", async () => {
  await using root = await scratch();
  expect(await chooseGraphDriver(root.path, "vfs", silent)).toMatchObject({
    kind: { name: "vfs" },
    passedOver: [],
  });
});

test("in a new root it is the first that works", async () => {
  await using root = await scratch();
  const { kind, passedOver } = await chooseGraphDriver(root.path, undefined, silent);
  const before = GRAPH_DRIVER_NAMES.slice(0, GRAPH_DRIVER_NAMES.indexOf(kind.name));
  expect(passedOver.map(([title]) => title)).toEqual(before.map((name) => `Not ${name}`));
});
