import { updateVolume } from "#client";
import { defineCli } from "../../command.ts";

/** `bunker volume update`: the daemon says why not. */
export const volumeUpdate = defineCli({
  synopsis: "[OPTIONS] VOLUME",
  about: "Update a volume (cluster volumes only)",
  example: "bunker volume update --availability drain data",
  flags: {
    availability: {
      kind: "text",
      hint: "string",
      about: 'Cluster Volume availability ("active", "pause", "drain")',
    },
  },
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    await updateVolume(session.daemon, name, flags.text("availability"));
    return 0;
  },
});
