import { armWait } from "#client";
import { defineCli, forEach } from "../command.ts";

/** `bunker wait`. */
export const wait = defineCli({
  synopsis: "CONTAINER [CONTAINER...]",
  about: "Block until one or more containers stop, then print their exit codes",
  example: "bunker wait batch",
  flags: {},
  words: { min: 1 },
  run: ({ words, session }) =>
    forEach(words, { session, prints: false }, async (name) => {
      const { exit } = await armWait(session.daemon, name, "not-running");
      const { StatusCode, Error: failure } = await exit;
      if (failure?.Message) session.complain(failure.Message);
      else session.say(String(StatusCode));
    }),
});
