import { createHash } from "node:crypto";
import { z } from "zod";
import { compressionOf, decompress, expand, foreignCompressionOf } from "#archive";
import { Fault } from "#errors";
import type { Spool, Spooled } from "#graph";
import { type Digest, parseJson, parseNamed, type Reference } from "#oci";
import { LIMITS } from "#registry";
import type { ArchiveFiles } from "./load-archive.ts";
import type { ArchivedImage } from "./load-contents.ts";

/** An image of that time was one layer and its settings; what it stood on was an image again. */
const MOST_LAYERS = 128;
const LEGACY_ID = /^[0-9a-f]{64}$/;

/** name → tag → id. Source: moby image specification 1.0, "Bundle". */
const Repositories = z.record(z.string(), z.record(z.string(), z.string()));

/** What is read of an image's own document; the rest of it becomes the configuration. */
const Document = z.looseObject({
  parent: z.string().optional(),
  created: z.string().optional(),
  author: z.string().optional(),
  comment: z.string().optional(),
  container_config: z.looseObject({ Cmd: z.array(z.string()).nullish() }).nullish(),
});
type Document = z.infer<typeof Document>;

/** Of the document, and of no configuration. Source: moby, image/v1, MakeConfigFromV1Config. */
const DROPPED: ReadonlySet<string> = new Set([
  "id",
  "parent",
  "Size",
  "parent_id",
  "layer_id",
  "throwaway",
  "rootfs",
  "history",
]);

interface Source {
  readonly files: ArchiveFiles;
  readonly spool: Pick<Spool, "read" | "stream">;
}

interface Step {
  readonly document: Document;
  /** The same as it was written, its keys in their order. */
  readonly written: object;
  readonly file: Spooled;
  readonly diffId: Digest;
}

/**
 * The named images of an archive from before Docker 1.10, in the form of today. Of what Docker 1.8.3 and later wrote the
 * ids are those that Docker gives them.
 */
export async function legacyImages(source: Source): Promise<readonly ArchivedImage[]> {
  const { files, spool } = source;
  const names = Repositories.safeParse(
    parseJson(await spool.read(files.get("repositories"), LIMITS.manifest), "repositories"),
  );
  if (!names.success)
    throw new Fault("invalid", "Cannot load the archive: its list of repositories is malformed");
  const tags = new Map<string, Reference[]>();
  for (const [name, byTag] of Object.entries(names.data))
    for (const [tag, id] of Object.entries(byTag))
      tags.set(id, [...(tags.get(id) ?? []), parseNamed(`${name}:${tag}`)]);
  const images: ArchivedImage[] = [];
  for (const [id, own] of tags) {
    const steps = await chainOf(source, id);
    images.push({ config: configOf(steps), layers: steps.map(({ file }) => ({ file })), tags: own });
  }
  return images;
}

/** From the base to the top. */
async function chainOf(source: Source, top: string): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for (let id: string | undefined = top; id !== undefined && id !== ""; ) {
    if (!LEGACY_ID.test(id) || steps.length >= MOST_LAYERS)
      throw new Fault(
        "invalid",
        `Cannot load the archive: the image ${top.slice(0, 64)} stands on too much or on what is none`,
      );
    const step = await stepOf(source, id);
    steps.unshift(step);
    id = step.document.parent;
  }
  return steps;
}

async function stepOf({ files, spool }: Source, id: string): Promise<Step> {
  const written = parseJson(await spool.read(files.get(`${id}/json`), LIMITS.config), `${id}/json`);
  const parsed = Document.safeParse(written);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Fault(
      "invalid",
      `Cannot load the archive: ${id}/json: ${issue?.path.join(".")}: ${issue?.message}`,
    );
  }
  const file = files.get(`${id}/layer.tar`);
  return { document: parsed.data, written: written as object, file, diffId: await diffIdOf(spool, file) };
}

/** Layers were not compressed, unless somebody did it. */
async function diffIdOf(spool: Pick<Spool, "stream">, file: Spooled): Promise<Digest> {
  for await (const start of spool.stream(file, 0)) {
    const isPlain = foreignCompressionOf(start) === undefined && compressionOf(start) === "none";
    if (isPlain) return file.digest;
    break;
  }
  const hash = createHash("sha256");
  for await (const piece of decompress(expand(spool.stream(file, 0)))) hash.update(piece);
  return `sha256:${hash.digest("hex")}` as Digest;
}

/** Byte for byte what Docker makes of it: keys sorted, and escaped as Go does. */
function configOf(steps: readonly Step[]): Uint8Array {
  const kept = Object.entries(steps.at(-1)?.written ?? {}).filter(([key]) => !DROPPED.has(key));
  const whole: [string, unknown][] = [
    ...kept,
    ["history", steps.map(({ document }) => historyOf(document))],
    ["rootfs", { type: "layers", diff_ids: steps.map(({ diffId }) => diffId) }],
  ];
  const sorted = Object.fromEntries(whole.sort(([one], [other]) => (one < other ? -1 : 1)));
  const escaped = JSON.stringify(sorted).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
  });
  return new TextEncoder().encode(escaped);
}

function historyOf({ created, author, comment, container_config: container }: Document) {
  const createdBy = (container?.Cmd ?? []).join(" ");
  return {
    created: created ?? "0001-01-01T00:00:00Z",
    ...(author && { author }),
    ...(createdBy !== "" && { created_by: createdBy }),
    ...(comment && { comment }),
  };
}
