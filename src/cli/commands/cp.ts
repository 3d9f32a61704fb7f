import { defineCli } from "../command.ts";
import { directionOf } from "../copy/copy.ts";

/** `bunker cp`. */
export const cp = defineCli({
  synopsis:
    "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n        bunker cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  about: "Copy files/folders between a container and the local filesystem",
  example: "bunker cp web:/etc/nginx/. ./nginx",
  flags: {
    archive: { kind: "bool", short: "a", about: "Archive mode (copy all uid/gid information)" },
    "follow-link": { kind: "bool", short: "L", about: "Always follow symbol link in SRC_PATH" },
    quiet: { kind: "bool", short: "q", about: "Suppress progress output during copy" },
  },
  words: { min: 2, max: 2 },
  async run({ flags, words: [source = "", target = ""], session }) {
    const copy = {
      ...directionOf(source, target),
      isArchive: flags.bool("archive"),
      followsLink: flags.bool("follow-link"),
      isQuiet: flags.bool("quiet"),
    };
    if (copy.isInward) await (await import("../copy/inward.ts")).copyInward(session, copy);
    else await (await import("../copy/outward.ts")).copyOutward(session, copy);
    return 0;
  },
});
