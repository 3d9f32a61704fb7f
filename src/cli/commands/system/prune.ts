import { Fault } from "#errors";
import { defineCli } from "../../command.ts";
import { confirm } from "../../confirm.ts";
import { filtersOf } from "../../listing.ts";
import { humanSize } from "../../output/units.ts";
import {
  PRUNE_FLAGS,
  SURE,
  tellPrunedContainers,
  tellPrunedImages,
  tellPrunedNetworks,
  tellPrunedVolumes,
} from "../../prune.ts";

/** `bunker system prune`. */
export const systemPrune = defineCli({
  synopsis: "[OPTIONS]",
  about: "Remove unused data",
  example: "bunker system prune -a --filter label!=keep",
  flags: {
    all: { kind: "bool", short: "a", about: "Remove all unused images not just dangling ones" },
    ...PRUNE_FLAGS,
    volumes: { kind: "bool", about: "Prune anonymous volumes" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const texts = flags.list("filter");
    const filters = filtersOf(texts);
    const [isAll, hasVolumes] = [flags.bool("all"), flags.bool("volumes")];
    if (hasVolumes && filters.until !== undefined)
      throw new Fault("invalid", 'ERROR: The "until" filter is not supported with "--volumes"');
    const question = questionFor({ isAll, hasVolumes, filters: texts });
    if (!flags.bool("force") && !confirm(session, question)) return 0;
    let bytes = await tellPrunedContainers(session, filters);
    bytes += await tellPrunedNetworks(session, filters);
    if (hasVolumes) bytes += await tellPrunedVolumes(session, filters);
    bytes += await tellPrunedImages(session, { ...filters, dangling: [isAll ? "false" : "true"] });
    session.say(`Total reclaimed space: ${humanSize(bytes, 4)}`);
    return 0;
  },
});

function questionFor({
  isAll,
  hasVolumes,
  filters,
}: {
  readonly isAll: boolean;
  readonly hasVolumes: boolean;
  readonly filters: readonly string[];
}): string {
  const lines = [
    "WARNING! This will remove:",
    "  - all stopped containers",
    "  - all networks not used by at least one container",
    ...(hasVolumes ? ["  - all anonymous volumes not used by at least one container"] : []),
    isAll ? "  - all images without at least one container associated to them" : "  - all dangling images",
    "",
  ];
  const filtered = [
    "  Items to be pruned will be filtered with:",
    ...filters.map((text) => `  - ${text}`),
    "",
  ];
  return [...lines, ...(filters.length === 0 ? [] : filtered), SURE].join("\n");
}
