import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { GraphDB } from "#graphdb";
import { type Digest, sha256 } from "#oci";
import { Content } from "../../../src/graph/content.ts";
import type { GraphDriver, LayerId } from "../../../src/graph/driver.ts";
import { Collector } from "../../../src/graph/gc.ts";
import { LayerTable } from "../../../src/graph/layer-table.ts";
import { Leases } from "../../../src/graph/leases.ts";
import { scratch } from "../../fakes/scratch.ts";

test("a blob that a pull is about to need stays when the layer goes that it came with", async () => {
  await using place = await scratch();
  const { content, collector, table, blob } = await scene(place.path);
  table.add(row(await blob("shared")));
  const shared = sha256("shared");
  using _lease = content.leases.use(shared);
  expect(await collector.collect()).toHaveLength(1);
  expect(existsSync(content.path(shared))).toBe(true);
});

test("a blob that became a layer's while others were taken away stays", async () => {
  await using place = await scratch();
  const { content, collector, table, blob } = await scene(place.path);
  for (const text of ["one", "two", "three"]) await blob(text);
  const garbage = await collector.garbage();
  expect(garbage).toHaveLength(3);
  const discard = content.discard.bind(content);
  let wanted: Digest | undefined;
  content.discard = async (path) => {
    await discard(path);
    if (wanted !== undefined) return;
    wanted = garbage.find((file) => existsSync(file.path))?.digest;
    if (wanted !== undefined) table.add(row(wanted));
  };
  expect(await collector.discard(garbage)).toHaveLength(2);
  expect(wanted !== undefined && existsSync(content.path(wanted))).toBe(true);
});

async function scene(root: string) {
  const database = new GraphDB(":memory:");
  const content = await Content.open(root);
  const table = new LayerTable(database);
  const driver: Pick<GraphDriver, "remove"> = { remove: async () => {} };
  const leases = new Leases<LayerId>();
  const collector = new Collector({ database, content, table, leases, driver: driver as GraphDriver });
  const blob = async (text: string) => {
    const digest = await content.put(Buffer.from(text));
    content.leases.release([digest]);
    return digest;
  };
  return { content, collector, table, blob };
}

function row(blob: Digest) {
  return {
    id: sha256(`layer of ${blob}`) as string as LayerId,
    parent: undefined,
    diffId: sha256("content"),
    blob,
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    size: 1,
    unsyncedBoot: undefined,
  };
}
