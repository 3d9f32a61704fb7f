import { removeContainer } from "#client";
import { defineCli, forEach } from "../command.ts";

/** `bunker rm`. */
export const rm = defineCli({
  synopsis: "[OPTIONS] CONTAINER [CONTAINER...]",
  about: "Remove one or more containers",
  example: "bunker rm -f -v web",
  flags: {
    force: { kind: "bool", short: "f", about: "Force the removal of a running container (uses SIGKILL)" },
    link: { kind: "bool", short: "l", about: "Remove the specified link" },
    volumes: { kind: "bool", short: "v", about: "Remove anonymous volumes associated with the container" },
  },
  words: { min: 1 },
  run: ({ flags, words, session }) =>
    forEach(words, { session, prints: true }, (name) =>
      removeContainer(session.daemon, name.replace(/^\//, ""), {
        isForced: flags.bool("force"),
        volumes: flags.bool("volumes"),
        link: flags.bool("link"),
      }),
    ),
});
