import { listVolumes, type VolumeDetails } from "#client";
import { defineCli } from "../../command.ts";
import { FILTER_FLAG, FORMAT_FLAG, filtersOf, formatFor, labelColumns } from "../../listing.ts";
import { type Columns, renderList } from "../../output/list.ts";

const STANDARD = "{{.Driver}}\t{{.Name}}";
const CLUSTER = "{{.Name}}\t{{.Group}}\t{{.Driver}}\t{{.Availability}}\t{{.Status}}";

/** `bunker volume ls`. */
export const volumeList = defineCli({
  synopsis: "[OPTIONS]",
  about: "List volumes",
  example: "bunker volume ls --filter dangling=true",
  flags: {
    cluster: { kind: "bool", about: "Display only cluster volumes: without a swarm there are none" },
    filter: FILTER_FLAG,
    format: FORMAT_FLAG,
    quiet: { kind: "bool", short: "q", about: "Only display volume names" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const { Volumes, Warnings } = await listVolumes(session.daemon, filtersOf(flags.list("filter")));
    const isCluster = flags.bool("cluster");
    const found = isCluster ? [] : (Volumes ?? []);
    const rows = [...found].sort((left, right) => (left.Name < right.Name ? -1 : 1));
    const isQuiet = flags.bool("quiet");
    const asked = formatFor(session, { asked: flags.text("format"), setting: "volumesFormat", isQuiet });
    const format = isQuiet && asked === "" ? "{{.Name}}" : asked;
    const standard = isCluster ? CLUSTER : STANDARD;
    session.console.out(renderList(rows, { columns: COLUMNS, standard, format }));
    for (const warning of Warnings ?? []) session.complain(`WARNING: ${warning}`);
    return 0;
  },
});

const none = () => "N/A";

const COLUMNS: Columns<VolumeDetails> = {
  Name: { heading: "VOLUME NAME", value: ({ Name }) => Name },
  Driver: { heading: "DRIVER", value: ({ Driver }) => Driver },
  Scope: { heading: "SCOPE", value: ({ Scope = "local" }) => Scope },
  Mountpoint: { heading: "MOUNTPOINT", value: ({ Mountpoint }) => Mountpoint },
  Availability: { heading: "AVAILABILITY", value: none },
  Group: { heading: "GROUP", value: none },
  Links: { heading: "LINKS", value: none },
  Size: { heading: "SIZE", value: none },
  Status: { heading: "STATUS", value: none },
  ...labelColumns<VolumeDetails>(({ Labels }) => Labels),
};
