import { pushImage } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { authFor } from "../login/credentials.ts";
import { cleanCell } from "../output/clean.ts";
import { showProgress, splitName } from "../pull.ts";

/** `bunker push`. */
export const push = defineCli({
  synopsis: "[OPTIONS] NAME[:TAG]",
  about: "Upload an image to a registry",
  example: "bunker push registry.example.org/team/app:1.2",
  flags: {
    "all-tags": { kind: "bool", short: "a", about: "Push all tags of an image to the repository" },
    "disable-content-trust": { kind: "bool" },
    platform: {
      kind: "text",
      hint: "string",
      about: "Push a platform-specific manifest as a single-platform image",
    },
    quiet: { kind: "bool", short: "q", about: "Suppress verbose output" },
  },
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    const { repository, tag } = splitName(name);
    const isNamed = repository !== name;
    const isWhole = flags.bool("all-tags");
    if (isWhole && isNamed) throw new Fault("conflict", "tag can't be used with --all-tags/-a");
    const isQuiet = flags.bool("quiet");
    if (!isNamed && !isWhole && !isQuiet) session.say("Using default tag: latest");
    const progress = showProgress(session, {
      sink: isQuiet ? undefined : session.console.out,
      descriptor: 1,
    });
    const auth = await authFor(session, repository);
    const lines = pushImage(session.daemon, { name: repository, ...(isWhole ? {} : { tag }), ...auth });
    for await (const line of lines) {
      const failure = line.errorDetail?.message ?? line.error;
      if (failure !== undefined) throw new Fault("internal", cleanCell(failure));
      progress.show(line);
    }
    if (isQuiet) session.say(`${repository}${isWhole ? "" : `:${tag}`}`);
    return 0;
  },
});
