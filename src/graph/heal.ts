import { mkdir } from "node:fs/promises";
import { sentenceOf } from "#errors";
import { writeWhole } from "#host";
import type { Digest } from "#oci";
import type { Content } from "./content.ts";
import type { GraphDriver, LayerId } from "./driver.ts";
import type { Durability } from "./durability.ts";
import type { LayerRow, LayerTable } from "./layer-table.ts";
import type { ImageStore } from "./store.ts";
import type { Ailment, Graph, Healed } from "./types.ts";

export interface HealerNeeds {
  /** Where records go that cannot be read. */
  readonly quarantine: string;
  readonly driver: GraphDriver;
  readonly content: Content;
  readonly table: LayerTable;
  readonly images: ImageStore;
  readonly durability: Pick<Durability, "remake">;
  readonly missing: Set<LayerId>;
}

type HealOptions = Parameters<Graph["heal"]>[1];
type Outcome = Omit<Healed, "ailment">;

/** Blobs first: trees are made of them. */
const ORDER: readonly Ailment["kind"][] = ["blob", "manifest", "layer", "tree", "image"];

/** As Graph.heal. */
export async function heal(
  needs: HealerNeeds,
  ailments: readonly Ailment[],
  options: HealOptions,
): Promise<readonly Healed[]> {
  const depth = ({ id }: Ailment) => needs.table.chain(id as LayerId).length;
  const ordered = ailments.toSorted(
    (one, other) => ORDER.indexOf(one.kind) - ORDER.indexOf(other.kind) || depth(one) - depth(other),
  );
  const healed: Healed[] = [];
  for (const ailment of ordered) {
    options.signal.throwIfAborted();
    const outcome = await healOne(needs, ailment, options).catch((thrown): Outcome => {
      options.signal.throwIfAborted();
      return { how: "left", sentence: `It could not be mended: ${sentenceOf(thrown)}` };
    });
    healed.push({ ailment, ...outcome });
  }
  return healed;
}

function healOne(needs: HealerNeeds, ailment: Ailment, options: HealOptions): Promise<Outcome> {
  if (ailment.kind === "blob") return healBlob(needs, ailment.id as Digest);
  if (ailment.kind === "manifest") return healManifest(needs, ailment.id as Digest);
  if (ailment.kind === "image") return healImage(needs, ailment.id as Digest);
  return healLayer(needs, ailment, options);
}

async function healBlob({ content, table }: HealerNeeds, digest: Digest): Promise<Outcome> {
  const aside = (await content.has(digest)) ? await content.quarantine(digest) : undefined;
  table.forgetBlob(digest);
  return { how: "gone", sentence: aside === undefined ? "It is forgotten" : `It was moved to ${aside}` };
}

/** Where no registry has it, the image goes on without: a new one is composed when it is pushed or saved. */
async function healManifest({ content, images }: HealerNeeds, digest: Digest): Promise<Outcome> {
  const aside = (await content.has(digest)) ? ` and was moved to ${await content.quarantine(digest)}` : "";
  const own = images.list().filter(({ manifest }) => manifest?.digest === digest);
  const homeless = own.filter(({ digests }) => digests.length === 0);
  for (const { id } of homeless) images.forgetManifest(id);
  return homeless.length === own.length
    ? { how: "mended", sentence: `It is composed anew when the image is pushed or saved${aside}` }
    : { how: "gone", sentence: `It is forgotten${aside}` };
}

async function healImage({ images, quarantine }: HealerNeeds, id: Digest): Promise<Outcome> {
  if (!images.damaged.has(id)) return { how: "gone", sentence: "Its layers have to come again" };
  if (images.namesOf(id).some(({ digest }) => digest !== undefined))
    return { how: "gone", sentence: "Its record has to come again" };
  await mkdir(quarantine, { recursive: true, mode: 0o700 });
  const path = `${quarantine}/image-${id.replace(":", "-")}.json`;
  await writeWhole(path, images.recordOf(id) ?? "");
  images.forgetDamaged(id);
  return {
    how: "mended",
    sentence: `No registry is known to have it: the image is forgotten, its record is in ${path}`,
  };
}

async function healLayer(needs: HealerNeeds, { kind, id }: Ailment, { busy }: HealOptions): Promise<Outcome> {
  const { table, driver, missing } = needs;
  const row = table.find(id as LayerId);
  if (row === undefined) return { how: "mended", sentence: "It has gone meanwhile" };
  const isOnlyUnkept = kind === "layer" && row.blob === undefined;
  if (isOnlyUnkept) return { how: "gone", sentence: "It has to come again" };
  const user = busy(row.id);
  if (user !== undefined) return { how: "left", sentence: `${user} runs on it: stop it first` };
  if (kind === "layer" && row.blob !== undefined) table.forgetBlob(row.blob);
  else if (await remade(needs, row)) return { how: "mended", sentence: "It was made again from its blob" };
  await driver.remove(row.id);
  missing.add(row.id);
  return { how: "gone", sentence: "Its tree was removed" };
}

async function remade({ content, durability, missing }: HealerNeeds, row: LayerRow): Promise<boolean> {
  if (row.blob === undefined || !(await content.has(row.blob)) || !(await content.isSound(row.blob)))
    return false;
  await durability.remake(row);
  missing.delete(row.id);
  return true;
}
