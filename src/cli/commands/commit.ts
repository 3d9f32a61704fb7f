import { commitContainer } from "#client";
import { defineCli } from "../command.ts";
import { splitName } from "../pull.ts";

/** `bunker commit`. */
export const commit = defineCli({
  synopsis: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  about: "Create a new image from a container's changes",
  example: 'bunker commit -c \'CMD ["httpd", "-f"]\' web web:patched',
  flags: {
    author: {
      kind: "text",
      hint: "string",
      short: "a",
      about: 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")',
    },
    change: { kind: "list", short: "c", about: "Apply Dockerfile instruction to the created image" },
    message: { kind: "text", hint: "string", short: "m", about: "Commit message" },
    "no-pause": { kind: "bool", about: "Disable pausing container during commit" },
    pause: { kind: "bool", short: "p", preset: "true" },
  },
  words: { min: 1, max: 2 },
  async run({ flags, words: [name = "", target = ""], session }) {
    const { repository, tag } = target === "" ? { repository: "", tag: "" } : splitName(target);
    const id = await commitContainer(session.daemon, name, {
      repository,
      tag,
      author: flags.text("author"),
      comment: flags.text("message"),
      pause: flags.bool("pause") && !flags.bool("no-pause"),
      changes: flags.list("change"),
    });
    session.say(id);
    return 0;
  },
});
