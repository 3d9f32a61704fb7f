import { listNetworks, type NetworkSummary } from "#client";
import { defineCli } from "../../command.ts";
import { FILTER_FLAG, FORMAT_FLAG, filtersOf, formatFor, labelColumns } from "../../listing.ts";
import { type Columns, renderList } from "../../output/list.ts";
import { byName } from "../../output/natural.ts";

const STANDARD = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";
const ID_LETTERS = 12;

/** `bunker network ls`. */
export const networkList = defineCli({
  synopsis: "[OPTIONS]",
  about: "List networks",
  example: "bunker network ls --filter driver=bridge",
  flags: {
    filter: FILTER_FLAG,
    format: FORMAT_FLAG,
    "no-trunc": { kind: "bool", about: "Do not truncate the output" },
    quiet: { kind: "bool", short: "q", about: "Only display network IDs" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const found = await listNetworks(session.daemon, filtersOf(flags.list("filter")));
    const rows = [...found].sort(byName);
    const isQuiet = flags.bool("quiet");
    const asked = formatFor(session, { asked: flags.text("format"), setting: "networksFormat", isQuiet });
    const format = isQuiet && asked === "" ? "{{.ID}}" : asked;
    session.console.out(
      renderList(rows, { columns: columnsOf(!flags.bool("no-trunc")), standard: STANDARD, format }),
    );
    return 0;
  },
});

function columnsOf(isShort: boolean): Columns<NetworkSummary> {
  return {
    ID: { heading: "NETWORK ID", value: ({ Id }) => (isShort ? Id.slice(0, ID_LETTERS) : Id) },
    Name: { heading: "NAME", value: ({ Name }) => Name },
    Driver: { heading: "DRIVER", value: ({ Driver }) => Driver },
    Scope: { heading: "SCOPE", value: ({ Scope }) => Scope },
    IPv4: { heading: "IPV4", value: ({ EnableIPv4 = false }) => String(EnableIPv4) },
    IPv6: { heading: "IPV6", value: ({ EnableIPv6 = false }) => String(EnableIPv6) },
    Internal: { heading: "INTERNAL", value: ({ Internal = false }) => String(Internal) },
    CreatedAt: { heading: "CREATED AT", value: ({ Created = "" }) => goTime(Created) },
    ...labelColumns<NetworkSummary>(({ Labels }) => Labels),
  };
}

/** RFC 3339 as Go prints a time: `2026-05-30 12:07:14.5 +0000 UTC`. */
function goTime(text: string): string {
  const [, day, time, zone] = /^(\d{4}-\d{2}-\d{2})T([\d:.]+)(Z|[+-]\d{2}:\d{2})$/.exec(text) ?? [];
  if (day === undefined) return text;
  const offset = zone === "Z" ? "+0000" : (zone ?? "").replace(":", "");
  const shortest = (time ?? "").replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  return `${day} ${shortest} ${offset} ${offset === "+0000" ? "UTC" : offset}`;
}
