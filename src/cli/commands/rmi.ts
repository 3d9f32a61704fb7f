import { removeImage } from "#client";
import { Fault } from "#errors";
import { defineCli, FAILURE_EXIT } from "../command.ts";
import { cleanCell } from "../output/clean.ts";
import { platformJson } from "../platform.ts";

/** `bunker rmi`. */
export const rmi = defineCli({
  synopsis: "[OPTIONS] IMAGE [IMAGE...]",
  about: "Remove one or more images",
  example: "bunker rmi httpd:2.4",
  flags: {
    force: { kind: "bool", short: "f", about: "Force removal of the image" },
    "no-prune": { kind: "bool", about: "Do not delete untagged parents" },
    platform: {
      kind: "list",
      hint: "strings",
      about:
        'Remove only the given platform variant, formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    },
  },
  words: { min: 1 },
  async run({ flags, words, session }) {
    const platforms = flags
      .list("platform")
      .flatMap((text) => text.split(","))
      .flatMap((text) => platformJson(text).platform ?? []);
    let exitCode = 0;
    for (const name of words) {
      try {
        const options = { isForced: flags.bool("force"), keepsParents: flags.bool("no-prune"), platforms };
        const removed = (await removeImage(session.daemon, name, options)) ?? [];
        for (const { Deleted, Untagged } of removed)
          session.say(Deleted ? `Deleted: ${cleanCell(Deleted)}` : `Untagged: ${cleanCell(Untagged ?? "")}`);
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown;
        session.complain(thrown.message);
        // With --force an image that is not there is as good as removed.
        if (!(flags.bool("force") && thrown.kind === "not_found")) exitCode = FAILURE_EXIT;
      }
    }
    return exitCode;
  },
});
