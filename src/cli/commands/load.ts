import { loadImages } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { filePieces } from "../file-pieces.ts";
import { cleanCell } from "../output/clean.ts";
import { platformJson } from "../platform.ts";
import { showProgress } from "../pull.ts";

/** `bunker load`. */
export const load = defineCli({
  synopsis: "[OPTIONS]",
  about: "Load an image from a tar archive or STDIN",
  example: "bunker load -i httpd.tar",
  flags: {
    input: {
      kind: "text",
      hint: "string",
      short: "i",
      about: "Read from tar archive file, instead of STDIN",
    },
    platform: { kind: "text", hint: "string", about: 'Load only the given platform variant ("linux/amd64")' },
    quiet: { kind: "bool", short: "q", about: "Suppress the load output" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const path = flags.text("input");
    const platform = platformJson(flags.text("platform"));
    if (path === "" && session.console.isTerminal(0))
      throw new Fault("invalid", "requested load from stdin, but stdin is empty");
    const quiet = flags.bool("quiet") || !session.console.isTerminal(1);
    const stream = path === "" ? Bun.stdin.stream() : filePieces(path);
    const progress = showProgress(session, { sink: session.console.out, descriptor: 1 });
    for await (const line of loadImages(session.daemon, { stream, quiet, ...platform })) {
      const failure = line.errorDetail?.message ?? line.error;
      if (failure !== undefined) throw new Fault("internal", cleanCell(failure));
      if (line.stream !== undefined) session.say(cleanCell(line.stream.trimEnd()));
      else progress.show(line);
    }
    return 0;
  },
});
