import { renameContainer } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";

/** `bunker rename`. */
export const rename = defineCli({
  synopsis: "CONTAINER NEW_NAME",
  about: "Rename a container",
  example: "bunker rename web old-web",
  flags: {},
  words: { min: 2, max: 2 },
  async run({ words: [from = "", to = ""], session }) {
    const [name, wanted] = [from.trim(), to.trim()];
    if (name === "" || wanted === "")
      throw new Fault("invalid", "Error: Neither old nor new names may be empty");
    await renameContainer(session.daemon, name, wanted);
    return 0;
  },
});
