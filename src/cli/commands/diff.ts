import { containerChanges } from "#client";
import { defineCli } from "../command.ts";
import { cleanCell } from "../output/clean.ts";

const LETTERS = ["C", "A", "D"];

/** `bunker diff`. */
export const diff = defineCli({
  synopsis: "CONTAINER",
  about: "Inspect changes to files or directories on a container's filesystem",
  example: "bunker diff web",
  flags: {},
  words: { min: 1, max: 1 },
  async run({ words: [name = ""], session }) {
    const changes = (await containerChanges(session.daemon, name)) ?? [];
    session.console.out(
      changes.map(({ Kind, Path }) => `${LETTERS[Kind] ?? "?"} ${cleanCell(Path)}\n`).join(""),
    );
    return 0;
  },
});
