import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { UNBUILT } from "../unbuilt.ts";

/** `bunker build`. Its flags are not read: whoever asks for a build learns that there is none. */
export const build = defineCli({
  synopsis: "[OPTIONS] PATH | URL | -",
  about: "Build an image from a Dockerfile (not supported by this version)",
  example: "bunker build -t site .",
  flags: {},
  words: { min: 0 },
  isUnparsed: true,
  async run() {
    throw new Fault("unsupported", UNBUILT.build ?? "");
  },
});
