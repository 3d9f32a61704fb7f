import { defineCli } from "../command.ts";
import { confirm } from "../confirm.ts";
import { filtersOf } from "../listing.ts";
import { humanSize } from "../output/units.ts";
import { PRUNE_FLAGS, SURE, tellPrunedContainers, tellPrunedImages } from "../prune.ts";

/** `bunker container prune`. */
export const containerPrune = defineCli({
  synopsis: "[OPTIONS]",
  about: "Remove all stopped containers",
  example: "bunker container prune --filter until=24h",
  flags: PRUNE_FLAGS,
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const question = `WARNING! This will remove all stopped containers.\n${SURE}`;
    if (!flags.bool("force") && !confirm(session, question)) return 0;
    const bytes = await tellPrunedContainers(session, filtersOf(flags.list("filter")));
    session.say(`Total reclaimed space: ${humanSize(bytes, 4)}`);
    return 0;
  },
});

/** `bunker image prune`. */
export const imagePrune = defineCli({
  synopsis: "[OPTIONS]",
  about: "Remove unused images",
  example: "bunker image prune -a --filter until=240h",
  flags: {
    all: { kind: "bool", short: "a", about: "Remove all unused images, not just dangling ones" },
    ...PRUNE_FLAGS,
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const isAll = flags.bool("all");
    const what = isAll ? "images without at least one container associated to them" : "dangling images";
    const question = `WARNING! This will remove all ${what}.\n${SURE}`;
    if (!flags.bool("force") && !confirm(session, question)) return 0;
    const filters = { ...filtersOf(flags.list("filter")), dangling: [isAll ? "false" : "true"] };
    const bytes = await tellPrunedImages(session, filters);
    session.say(`Total reclaimed space: ${humanSize(bytes, 4)}`);
    return 0;
  },
});
