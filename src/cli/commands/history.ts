import { type HistoryEntry, imageHistory } from "#client";
import { defineCli } from "../command.ts";
import { FORMAT_FLAG } from "../listing.ts";
import { type Columns, renderList } from "../output/list.ts";
import { ellipsis, humanDuration, humanSize, shortId } from "../output/units.ts";
import { platformJson } from "../platform.ts";

const STANDARD = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
const CREATED_BY_WIDTH = 45;

/** `bunker history`. */
export const history = defineCli({
  synopsis: "[OPTIONS] IMAGE",
  about: "Show the history of an image",
  example: "bunker history --no-trunc httpd",
  flags: {
    format: FORMAT_FLAG,
    human: {
      kind: "bool",
      short: "H",
      preset: "true",
      about: "Print sizes and dates in human readable format",
    },
    "no-trunc": { kind: "bool", about: "Don't truncate output" },
    platform: {
      kind: "text",
      hint: "string",
      about: 'Show history for the given platform, formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    },
    quiet: { kind: "bool", short: "q", about: "Only show image IDs" },
  },
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    const rows = await imageHistory(session.daemon, name, platformJson(flags.text("platform")).platform);
    const columns = columnsOf({
      isShort: !flags.bool("no-trunc"),
      isHuman: flags.bool("human"),
      now: Date.now(),
    });
    const format = flags.bool("quiet") && flags.text("format") === "" ? "{{.ID}}" : flags.text("format");
    session.console.out(renderList(rows, { columns, standard: STANDARD, format }));
    return 0;
  },
});

function columnsOf({
  isShort,
  isHuman,
  now,
}: {
  isShort: boolean;
  isHuman: boolean;
  now: number;
}): Columns<HistoryEntry> {
  const isoTime = (seconds: number) => new Date(seconds * 1000).toISOString().replace(/\.\d+/, "");
  return {
    ID: { heading: "IMAGE", value: ({ Id }) => (isShort ? shortId(Id) : Id) },
    CreatedSince: {
      heading: isHuman ? "CREATED" : "CREATED AT",
      value: ({ Created }) => {
        if (!isHuman) return isoTime(Created);
        return Created <= 0 ? "N/A" : `${humanDuration(now / 1000 - Created)} ago`;
      },
    },
    CreatedAt: {
      heading: "CREATED AT",
      value: ({ Created }) => isoTime(Created),
    },
    CreatedBy: {
      heading: "CREATED BY",
      value: ({ CreatedBy }) => {
        const text = CreatedBy.replaceAll("\t", " ");
        return isShort ? ellipsis(text, CREATED_BY_WIDTH) : text;
      },
    },
    Size: { heading: "SIZE", value: ({ Size }) => (isHuman ? humanSize(Size) : String(Size)) },
    Comment: { heading: "COMMENT", value: ({ Comment }) => Comment },
  };
}
