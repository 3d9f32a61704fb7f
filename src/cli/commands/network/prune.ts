import { pruneNetworks } from "#client";
import { defineCli } from "../../command.ts";
import { confirm } from "../../confirm.ts";
import { FILTER_FLAG, filtersOf } from "../../listing.ts";

const QUESTION =
  "WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue?";

/** `bunker network prune`. */
export const networkPrune = defineCli({
  synopsis: "[OPTIONS]",
  about: "Remove all unused networks",
  example: "bunker network prune --filter until=24h",
  flags: {
    filter: {
      kind: FILTER_FLAG.kind,
      hint: FILTER_FLAG.hint,
      check: FILTER_FLAG.check,
      about: 'Provide filter values (e.g. "until=<timestamp>")',
    },
    force: { kind: "bool", short: "f", about: "Do not prompt for confirmation" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    if (!flags.bool("force") && !confirm(session, QUESTION)) return 0;
    const { NetworksDeleted } = await pruneNetworks(session.daemon, filtersOf(flags.list("filter")));
    const names = NetworksDeleted ?? [];
    if (names.length > 0) session.say(`Deleted Networks:\n${names.join("\n")}\n`);
    return 0;
  },
});
