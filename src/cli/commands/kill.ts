import { killContainer, pauseContainer, unpauseContainer } from "#client";
import { defineCli, forEach } from "../command.ts";

/** `bunker kill`. */
export const kill = defineCli({
  synopsis: "[OPTIONS] CONTAINER [CONTAINER...]",
  about: "Kill one or more running containers",
  example: "bunker kill -s HUP web",
  flags: { signal: { kind: "text", hint: "string", short: "s", about: "Signal to send to the container" } },
  words: { min: 1 },
  run: ({ flags, words, session }) =>
    forEach(words, { session, prints: true }, (name) =>
      killContainer(session.daemon, name, flags.optional("signal")),
    ),
});

/** `bunker pause`. */
export const pause = defineCli({
  synopsis: "CONTAINER [CONTAINER...]",
  about: "Pause all processes within one or more containers",
  example: "bunker pause web",
  flags: {},
  words: { min: 1 },
  run: ({ words, session }) =>
    forEach(words, { session, prints: true }, (name) => pauseContainer(session.daemon, name)),
});

/** `bunker unpause`. */
export const unpause = defineCli({
  synopsis: "CONTAINER [CONTAINER...]",
  about: "Unpause all processes within one or more containers",
  example: "bunker unpause web",
  flags: {},
  words: { min: 1 },
  run: ({ words, session }) =>
    forEach(words, { session, prints: true }, (name) => unpauseContainer(session.daemon, name)),
});
