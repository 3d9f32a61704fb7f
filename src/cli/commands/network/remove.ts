import { removeNetwork } from "#client";
import { Fault } from "#errors";
import { defineCli, forEach } from "../../command.ts";

/** `bunker network rm`. */
export const networkRemove = defineCli({
  synopsis: "[OPTIONS] NETWORK [NETWORK...]",
  about: "Remove one or more networks",
  example: "bunker network rm front",
  flags: {
    force: {
      kind: "bool",
      short: "f",
      about: "Do not error if the network does not exist, and remove that of a plugin that is gone",
    },
  },
  words: { min: 1 },
  run: ({ flags, words, session }) =>
    forEach(words, { session, prints: false }, async (name) => {
      try {
        await removeNetwork(session.daemon, name, flags.bool("force"));
        session.say(name);
      } catch (thrown) {
        const isGone = thrown instanceof Fault && thrown.kind === "not_found";
        if (!isGone || !flags.bool("force")) throw thrown;
      }
    }),
});
