import { pruneBuildCache } from "#client";
import { defineCli } from "../../command.ts";
import { confirm } from "../../confirm.ts";
import { checkSize, sizeOf } from "../../create/values.ts";
import { filtersOf } from "../../listing.ts";
import { humanSize } from "../../output/units.ts";
import { PRUNE_FLAGS, SURE } from "../../prune.ts";

/** `bunker builder prune`. */
export const builderPrune = defineCli({
  synopsis: "[OPTIONS]",
  about: "Remove build cache",
  example: "bunker builder prune --filter until=24h",
  flags: {
    all: { kind: "bool", short: "a", about: "Remove all unused build cache, not just dangling ones" },
    ...PRUNE_FLAGS,
    "keep-storage": {
      kind: "text",
      hint: "bytes",
      check: checkSize,
      about: "Amount of disk space to keep for cache",
    },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const what = flags.bool("all") ? "build cache" : "dangling build cache";
    if (!flags.bool("force") && !confirm(session, `WARNING! This will remove all ${what}. ${SURE}`)) return 0;
    const kept = sizeOf(flags.text("keep-storage"));
    const { CachesDeleted, SpaceReclaimed } = await pruneBuildCache(session.daemon, {
      isAll: flags.bool("all"),
      filters: filtersOf(flags.list("filter")),
      ...(kept === undefined ? {} : { keptBytes: kept }),
    });
    const deleted = CachesDeleted ?? [];
    if (deleted.length > 0) session.say(`Deleted build cache objects:\n${deleted.join("\n")}\n`);
    session.say(`Total reclaimed space: ${humanSize(SpaceReclaimed, 4)}`);
    return 0;
  },
});
