import { restartContainer, stopContainer } from "#client";
import { defineCli, forEach, type Invocation } from "../command.ts";
import type { FlagTable } from "../flags.ts";

const STOP_FLAGS = {
  signal: { kind: "text", hint: "string", short: "s", about: "Signal to send to the container" },
  timeout: { kind: "int", short: "t", about: "Seconds to wait before killing the container" },
  time: { kind: "int", aliasOf: "timeout" },
} as const;

const howToStop = ({ flags }: Pick<Invocation<typeof STOP_FLAGS & FlagTable>, "flags">) => ({
  ...(flags.has("signal") ? { signal: flags.text("signal") } : {}),
  ...(flags.has("timeout") ? { timeoutSeconds: flags.int("timeout") ?? 0 } : {}),
});

/** `bunker stop`. */
export const stop = defineCli({
  synopsis: "[OPTIONS] CONTAINER [CONTAINER...]",
  about: "Stop one or more running containers",
  example: "bunker stop -t 30 web",
  flags: STOP_FLAGS,
  words: { min: 1 },
  run: ({ flags, words, session }) =>
    forEach(words, { session, prints: true }, (name) =>
      stopContainer(session.daemon, name, howToStop({ flags })),
    ),
});

/** `bunker restart`. */
export const restart = defineCli({
  synopsis: "[OPTIONS] CONTAINER [CONTAINER...]",
  about: "Restart one or more containers",
  example: "bunker restart -t 5 web",
  flags: STOP_FLAGS,
  words: { min: 1 },
  run: ({ flags, words, session }) =>
    forEach(words, { session, prints: true }, (name) =>
      restartContainer(session.daemon, name, howToStop({ flags })),
    ),
});
