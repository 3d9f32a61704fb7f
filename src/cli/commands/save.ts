import { saveImages } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { writeOutput } from "../copy/output.ts";
import { platformJson } from "../platform.ts";

/** `bunker save`. */
export const save = defineCli({
  synopsis: "[OPTIONS] IMAGE [IMAGE...]",
  about: "Save one or more images to a tar archive (streamed to STDOUT by default)",
  example: "bunker save -o httpd.tar httpd:2.4",
  flags: {
    output: { kind: "text", hint: "string", short: "o", about: "Write to a file, instead of STDOUT" },
    platform: { kind: "text", hint: "string", about: 'Save only the given platform variant ("linux/amd64")' },
  },
  words: { min: 1 },
  async run({ flags, words, session }) {
    const path = flags.text("output");
    const platform = platformJson(flags.text("platform"));
    if (path === "" && session.console.isTerminal(1))
      throw new Fault("invalid", "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    await writeOutput(session, { path, open: () => saveImages(session.daemon, words, platform) });
    return 0;
  },
});
