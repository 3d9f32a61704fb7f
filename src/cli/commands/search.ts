import { type ImageFound, searchImages } from "#client";
import { defineCli } from "../command.ts";
import { FILTER_FLAG, FORMAT_FLAG, filtersOf } from "../listing.ts";
import { authFor } from "../login/credentials.ts";
import { type Columns, renderList } from "../output/list.ts";
import { ellipsis } from "../output/units.ts";

const STANDARD = "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}";
const DESCRIPTION_WIDTH = 45;

/** `bunker search`. */
export const search = defineCli({
  synopsis: "[OPTIONS] TERM",
  about: "Search Docker Hub for images",
  example: "bunker search --filter is-official=true --limit 5 httpd",
  flags: {
    filter: FILTER_FLAG,
    format: FORMAT_FLAG,
    limit: { kind: "int", about: "Max number of search results" },
    "no-trunc": { kind: "bool", about: "Don't truncate output" },
  },
  words: { min: 1, max: 1 },
  async run({ flags, words: [term = ""], session }) {
    const found = await searchImages(session.daemon, {
      term,
      ...(flags.has("limit") && { limit: flags.int("limit") }),
      filters: filtersOf(flags.list("filter")),
      ...(await authFor(session, term)),
    });
    const rows = (found ?? []).toSorted((one, other) => other.star_count - one.star_count);
    const format = flags.text("format");
    const columns = columnsOf({ isShort: !flags.bool("no-trunc"), isJson: /json/.test(format) });
    session.console.out(renderList(rows, { columns, standard: STANDARD, format }));
    return 0;
  },
});

/** A truth is `[OK]` or nothing where people read it. */
function columnsOf({
  isShort,
  isJson,
}: {
  readonly isShort: boolean;
  readonly isJson: boolean;
}): Columns<ImageFound> {
  const truth = (value: boolean) => (isJson ? String(value) : value ? "[OK]" : "");
  return {
    Name: { heading: "NAME", value: ({ name }) => name },
    Description: {
      heading: "DESCRIPTION",
      value: ({ description }) => {
        const line = description.replace(/[\r\n]/g, " ");
        return isShort ? ellipsis(line, DESCRIPTION_WIDTH) : line;
      },
    },
    StarCount: { heading: "STARS", value: ({ star_count }) => String(star_count) },
    IsOfficial: { heading: "OFFICIAL", value: ({ is_official }) => truth(is_official) },
    IsAutomated: { heading: "AUTOMATED", value: ({ is_automated }) => truth(is_automated) },
  };
}
