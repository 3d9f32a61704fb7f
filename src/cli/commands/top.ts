import { topContainer } from "#client";
import { defineCli } from "../command.ts";
import { cleanCell } from "../output/clean.ts";
import { table } from "../output/table.ts";

/** `bunker top`. */
export const top = defineCli({
  synopsis: "CONTAINER [ps OPTIONS]",
  about: "Display the running processes of a container",
  example: "bunker top web -o pid,args",
  flags: {},
  words: { min: 1 },
  stopsAtWord: true,
  async run({ words: [name = "", ...psArguments], session }) {
    const { Titles, Processes } = await topContainer(session.daemon, name, psArguments);
    const rows = [Titles, ...Processes].map((cells) => cells.map(cleanCell));
    session.console.out(table(rows, { minWidth: 20, padding: 3 }));
    return 0;
  },
});
