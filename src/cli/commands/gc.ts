import { collectGarbage, type GarbageItem } from "#client";
import { defineCli } from "../command.ts";
import { checkDuration, checkSize, nanosecondsOf, sizeOf } from "../create/values.ts";
import { FORMAT_FLAG } from "../listing.ts";
import { type Columns, renderList } from "../output/list.ts";
import { humanSize } from "../output/units.ts";

const STANDARD = "{{.Kind}}\t{{.Name}}\t{{.Size}}\t{{.Reason}}";
const NANOSECONDS = 1e9;

/** `bunker gc`. */
export const gc = defineCli({
  synopsis: "[OPTIONS]",
  about:
    "Free what nobody needs: broken-off downloads, blobs and files without an image, images without a name. Never volumes, never what a container is made of",
  example: "bunker gc --all --keep 24h --dry-run",
  flags: {
    all: {
      kind: "bool",
      short: "a",
      about: "Named images that no container is made of as well, least recently used first",
    },
    "dry-run": { kind: "bool", about: "Only say what would be freed, and why" },
    format: FORMAT_FLAG,
    goal: {
      kind: "text",
      hint: "bytes",
      about: "Remove no more named images than it takes to free so much",
      check: checkSize,
    },
    keep: {
      kind: "text",
      hint: "duration",
      about: "Keep images that were used since then (24h)",
      check: checkDuration,
    },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const isDry = flags.bool("dry-run");
    const goalBytes = sizeOf(flags.text("goal"));
    const keep = flags.text("keep");
    const { items, bytes } = await collectGarbage(session.daemon, {
      isDry,
      isAll: flags.bool("all"),
      keepSeconds: keep === "" ? 0 : Math.round(nanosecondsOf(keep) / NANOSECONDS),
      ...(goalBytes !== undefined && { goalBytes }),
    });
    const format = flags.text("format");
    session.console.out(renderList(items, { columns: COLUMNS, standard: STANDARD, format }));
    if (format === "")
      session.say(`${isDry ? "Would free" : "Freed"}: ${humanSize(bytes, 4)} (${bytes} bytes)`);
    return 0;
  },
});

const COLUMNS: Columns<GarbageItem> = {
  Kind: { heading: "KIND", value: ({ kind }) => kind },
  Name: { heading: "NAME", value: ({ name }) => name },
  Size: { heading: "SIZE", value: ({ bytes }) => humanSize(bytes) },
  Bytes: { heading: "BYTES", value: ({ bytes }) => String(bytes) },
  Reason: { heading: "REASON", value: ({ reason }) => reason },
};
