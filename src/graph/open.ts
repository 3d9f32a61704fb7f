import { mkdir } from "node:fs/promises";
import { Unpackers } from "#archive";
import type { GraphDB } from "#graphdb";
import { Content } from "./content.ts";
import type { GraphDriver, GraphDriverKind, LayerId } from "./driver.ts";
import { Durability } from "./durability.ts";
import { examine } from "./examine.ts";
import { Collector } from "./gc.ts";
import { heal } from "./heal.ts";
import { LayerTable } from "./layer-table.ts";
import { type LayerLimits, LayerStore } from "./layers.ts";
import { Leases } from "./leases.ts";
import { keeperOf, RestoringDriver } from "./restoring.ts";
import { ContentSpool } from "./spool.ts";
import { ImageStore } from "./store.ts";
import type { Graph } from "./types.ts";

const LIMITS: LayerLimits = { downloads: 3, unpacks: 2 };

export interface GraphOptions {
  /** The daemon's data root: blobs go to `<root>/content`, trees to `<root>/<name of the driver>`. */
  readonly root: string;
  readonly database: GraphDB;
  readonly kind: GraphDriverKind;
  readonly limits?: Partial<LayerLimits>;
  /** The names of all drivers there are: what they keep of the same images stays beside this one's. */
  readonly drivers?: readonly string[];
  /** Stores of blobs on this host, laid out as ours: what they have is linked instead of fetched. */
  readonly neighbours?: readonly string[];
}

/** Opens the keeper of images. What a process that died had begun is gone afterwards, but for downloads to resume. */
export async function openGraph({
  root,
  database,
  kind,
  limits,
  drivers = [],
  neighbours,
}: GraphOptions): Promise<Graph> {
  await mkdir(root, { recursive: true, mode: 0o710 });
  const content = await Content.open(`${root}/content`, neighbours);
  const driver = await kind.open(`${root}/${kind.name}`);
  const table = new LayerTable(database);
  const leases = new Leases<LayerId>();
  const collector = new Collector({ database, driver, content, table, leases });
  const images = new ImageStore({ database, layers: table, leases, collector, blobs: content.leases });
  const unpackers = new Unpackers();
  const durability = new Durability({ root: `${root}/${kind.name}`, driver, content, table, unpackers });
  const lost = await durability.restore();
  const missing = await treelessLayers(driver, table);
  for (const { id } of lost) missing.add(id);
  const layers = new LayerStore({
    driver,
    content,
    table,
    leases,
    collector,
    durability,
    unpackers,
    missing,
    limits: { ...LIMITS, ...limits },
  });
  const others = drivers.filter((name) => name !== kind.name);
  const isKeptElsewhere = (layer: LayerId) => keeperOf(layer, { root, others }) !== undefined;
  const parts = { driver, content, table, images, layers, collector, durability, missing, isKeptElsewhere };
  const restoring = { root, driver, durability, table, missing, others };
  return {
    driver: new RestoringDriver(restoring),
    content,
    images,
    layers,
    spool: () => new ContentSpool(content, table),
    limitDownloads: (count) => layers.limitDownloads(count),
    examine: (options) => examine(parts, options),
    heal: (ailments, options) =>
      heal({ ...parts, quarantine: `${root}/content/quarantine` }, ailments, options),
    garbage: () => collector.garbage(),
    discard: (garbage) => collector.discard(garbage),
    sweep: (keep) => collector.sweep(keep),
    async [Symbol.asyncDispose]() {
      await durability[Symbol.asyncDispose]();
      await unpackers[Symbol.asyncDispose]();
      await driver[Symbol.asyncDispose]();
    },
  };
}

/** A row whose tree is not on disk does not count: the layer is obtained again when it is wanted. */
async function treelessLayers(driver: GraphDriver, table: LayerTable): Promise<Set<LayerId>> {
  const present = new Set(await driver.list());
  return new Set(table.all().flatMap(({ id }) => (present.has(id) ? [] : id)));
}
