import { tagImage } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { splitName } from "../pull.ts";

/** `bunker tag`. */
export const tag = defineCli({
  synopsis: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  about: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
  example: "bunker tag httpd:2.4 registry.example.com/web:1",
  flags: {},
  words: { min: 2, max: 2 },
  async run({ words: [source = "", target = ""], session }) {
    if (target.includes("@"))
      throw new Fault(
        "invalid",
        `Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: refusing to create a tag with a digest reference`,
      );
    const { repository, tag: name } = splitName(target);
    await tagImage(session.daemon, source, { repo: repository, tag: name });
    return 0;
  },
});
