import { defineCli } from "../command.ts";
import { createBody } from "../create/body.ts";
import { checkPull, createFromImage } from "../create/container.ts";
import { CREATE_FLAGS } from "../create/flags.ts";
import { asRunFailure } from "../outcome.ts";

/** `bunker create`. */
export const create = defineCli({
  synopsis: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  about: "Create a new container",
  example: "bunker create --name web -p 8020:80 httpd",
  flags: CREATE_FLAGS,
  words: { min: 1 },
  stopsAtWord: true,
  async run({ flags, words, session }) {
    const body = await asRunFailure(() => {
      checkPull(flags);
      return createBody(flags, words, { env: session.env, folder: process.cwd() });
    });
    session.say(await createFromImage(session, { flags, body }));
    return 0;
  },
});
