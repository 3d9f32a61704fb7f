import { Fault } from "#errors";
import { defineCli, forEach } from "../../command.ts";
import { ContextStore, DEFAULT_CONTEXT } from "../../contexts/store.ts";

/** `bunker context rm`. */
export const contextRemove = defineCli({
  synopsis: "CONTEXT [CONTEXT...]",
  about: "Remove one or more contexts",
  example: "bunker context rm lab",
  flags: { force: { kind: "bool", short: "f", about: "Force the removal of a context in use" } },
  words: { min: 1 },
  run({ flags, words, session }) {
    const store = new ContextStore(session.env);
    const isForced = flags.bool("force");
    return forEach(words, { session, prints: true }, async (name) => {
      const shown = JSON.stringify(name);
      if (name === DEFAULT_CONTEXT) throw new Fault("denied", `context ${shown} cannot be removed`);
      const isCurrent = session.config.text("currentContext") === name;
      if (isCurrent && !isForced)
        throw new Fault("conflict", `context ${shown} is in use, set -f flag to force remove`);
      if (!store.has(name) && isForced) return;
      store.remove(name);
      if (isCurrent) session.config.set("currentContext", undefined);
    });
  },
});
