import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { pullTo, splitName } from "../pull.ts";

/** `bunker pull`. */
export const pull = defineCli({
  synopsis: "[OPTIONS] NAME[:TAG|@DIGEST]",
  about: "Download an image from a registry",
  example: "bunker pull httpd:2.4",
  flags: {
    "all-tags": { kind: "bool", short: "a", about: "Download all tagged images in the repository" },
    "disable-content-trust": { kind: "bool" },
    platform: { kind: "text", hint: "string", about: "Set platform if server is multi-platform capable" },
    quiet: { kind: "bool", short: "q", about: "Suppress verbose output" },
  },
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    const { repository, tag } = splitName(name);
    const isNamed = repository !== name;
    if (flags.bool("all-tags") && isNamed)
      throw new Fault("conflict", "tag can't be used with --all-tags/-a");
    const isQuiet = flags.bool("quiet");
    const full = tag.includes(":") ? `${repository}@${tag}` : `${repository}:${tag}`;
    const isProper = repository === repository.toLowerCase();
    if (!isNamed && isProper && !flags.bool("all-tags") && !isQuiet) session.say("Using default tag: latest");
    await pullTo(session, {
      name: full,
      isWhole: flags.bool("all-tags"),
      descriptor: 1,
      sink: isQuiet ? undefined : session.console.out,
      ...(flags.has("platform") ? { platform: flags.text("platform") } : {}),
    });
    session.say(canonical(full));
    return 0;
  },
});

/** The name with its registry: `httpd` is `docker.io/library/httpd:latest`. */
function canonical(name: string): string {
  const [first = "", ...rest] = name.split("/");
  if (rest.length === 0) return `docker.io/library/${name}`;
  const isRegistry = /[.:]/.test(first) || first === "localhost";
  return isRegistry ? name : `docker.io/${name}`;
}
