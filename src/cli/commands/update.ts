import { updateContainer } from "#client";
import { Fault } from "#errors";
import { defineCli, forEach } from "../command.ts";
import { RESOURCE_FLAGS } from "../create/flags.ts";
import { limits } from "../create/resources.ts";

/** `bunker update`. */
export const update = defineCli({
  synopsis: "[OPTIONS] CONTAINER [CONTAINER...]",
  about: "Update configuration of one or more containers",
  example: "bunker update --memory 512m --memory-swap 1g web",
  flags: RESOURCE_FLAGS,
  words: { min: 1 },
  async run({ flags, words, session }) {
    const body = limits(flags);
    if (Object.keys(body).length === 0)
      throw new Fault("invalid", "you must provide one or more flags when using this command");
    return forEach(words, { session, prints: true }, async (name) => {
      const reply = await updateContainer(session.daemon, name, body);
      for (const warning of reply?.Warnings ?? []) session.complain(warning);
    });
  },
});
