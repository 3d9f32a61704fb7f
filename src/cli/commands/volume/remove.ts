import { pruneVolumes, removeVolume } from "#client";
import { Fault } from "#errors";
import { defineCli, forEach } from "../../command.ts";
import { confirm } from "../../confirm.ts";
import { FILTER_FLAG, filtersOf } from "../../listing.ts";
import { humanSize } from "../../output/units.ts";

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

const QUESTION = (what: string) =>
  `WARNING! This will remove ${what} local volumes not used by at least one container.\nAre you sure you want to continue?`;

/** `bunker volume prune`. */
export const volumePrune = defineCli({
  synopsis: "[OPTIONS]",
  about: "Remove unused local volumes",
  example: "bunker volume prune --filter label!=keep",
  flags: {
    all: { kind: "bool", short: "a", about: "Remove all unused volumes, not just anonymous ones" },
    filter: {
      kind: FILTER_FLAG.kind,
      hint: FILTER_FLAG.hint,
      check: FILTER_FLAG.check,
      about: 'Provide filter values (e.g. "label=<label>")',
    },
    force: { kind: "bool", short: "f", about: "Do not prompt for confirmation" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const filters = filtersOf(flags.list("filter"));
    const isAll = flags.bool("all");
    if (isAll && filters.all !== undefined)
      throw new Fault("invalid", "conflicting options: cannot specify both --all and --filter all=1");
    if (!flags.bool("force") && !confirm(session, QUESTION(isAll ? "all" : "anonymous"))) return 0;
    const asked = isAll ? { ...filters, all: ["true"] } : filters;
    const { VolumesDeleted, SpaceReclaimed } = await pruneVolumes(session.daemon, asked);
    const names = VolumesDeleted ?? [];
    if (names.length > 0) session.say(`Deleted Volumes:\n${names.join("\n")}\n`);
    session.say(`Total reclaimed space: ${humanSize(SpaceReclaimed, 4)}`);
    return 0;
  },
});
