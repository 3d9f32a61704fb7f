import { exportContainer } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { writeOutput } from "../copy/output.ts";

/** `bunker export`. */
export const exported = defineCli({
  synopsis: "[OPTIONS] CONTAINER",
  about: "Export a container's filesystem as a tar archive",
  example: "bunker export -o web.tar web",
  flags: {
    output: { kind: "text", hint: "string", short: "o", about: "Write to a file, instead of STDOUT" },
  },
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    const path = flags.text("output");
    if (path === "" && session.console.isTerminal(1))
      throw new Fault("invalid", "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    await writeOutput(session, { path, open: () => exportContainer(session.daemon, name) });
    return 0;
  },
});
