import { createVolume, listVolumes, removeVolume, type VolumeDetails } from "#client";
import { defineCli, forEach } from "../command.ts";
import { checkLabel } from "../create/checks.ts";
import { mapOf } from "../create/values.ts";
import { FILTER_FLAG, FORMAT_FLAG, filtersOf, labelColumns } from "../listing.ts";
import { type Columns, renderList } from "../output/list.ts";

const STANDARD = "{{.Driver}}\t{{.Name}}";

/** `bunker volume ls`. */
export const volumeList = defineCli({
  synopsis: "[OPTIONS]",
  about: "List volumes",
  example: "bunker volume ls --filter dangling=true",
  flags: {
    filter: FILTER_FLAG,
    format: FORMAT_FLAG,
    quiet: { kind: "bool", short: "q", about: "Only display volume names" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const { Volumes, Warnings } = await listVolumes(session.daemon, filtersOf(flags.list("filter")));
    const rows = [...(Volumes ?? [])].sort((left, right) => (left.Name < right.Name ? -1 : 1));
    const format = flags.bool("quiet") && flags.text("format") === "" ? "{{.Name}}" : flags.text("format");
    session.console.out(renderList(rows, { columns: COLUMNS, standard: STANDARD, format }));
    for (const warning of Warnings ?? []) session.complain(`WARNING: ${warning}`);
    return 0;
  },
});

const COLUMNS: Columns<VolumeDetails> = {
  Name: { heading: "VOLUME NAME", value: ({ Name }) => Name },
  Driver: { heading: "DRIVER", value: ({ Driver }) => Driver },
  Scope: { heading: "SCOPE", value: ({ Scope = "local" }) => Scope },
  Mountpoint: { heading: "MOUNTPOINT", value: ({ Mountpoint }) => Mountpoint },
  Links: { heading: "LINKS", value: () => "N/A" },
  Size: { heading: "SIZE", value: () => "N/A" },
  ...labelColumns<VolumeDetails>(({ Labels }) => Labels),
};

/** `bunker volume create`. */
export const volumeCreate = defineCli({
  synopsis: "[OPTIONS] [VOLUME]",
  about: "Create a volume",
  example: "bunker volume create --label tier=db data",
  flags: {
    driver: {
      kind: "text",
      hint: "string",
      short: "d",
      preset: "local",
      about: "Specify volume driver name",
    },
    label: { kind: "list", about: "Set metadata for a volume", check: checkLabel },
    name: { kind: "text" },
    opt: { kind: "list", short: "o", hint: "map", about: "Set driver specific options" },
  },
  words: { min: 0, max: 1 },
  async run({ flags, words: [name = flags.text("name")], session }) {
    const { Name } = await createVolume(session.daemon, {
      Name: name,
      Driver: flags.text("driver"),
      DriverOpts: mapOf(flags.list("opt")),
      Labels: mapOf(flags.list("label")),
    });
    session.say(Name);
    return 0;
  },
});

/** `bunker volume rm`. */
export const volumeRemove = defineCli({
  synopsis: "[OPTIONS] VOLUME [VOLUME...]",
  about: "Remove one or more volumes",
  example: "bunker volume rm data",
  flags: { force: { kind: "bool", short: "f", about: "Force the removal of one or more volumes" } },
  words: { min: 1 },
  run: ({ flags, words, session }) =>
    forEach(words, { session, prints: true }, (name) =>
      removeVolume(session.daemon, name, flags.bool("force")),
    ),
});
