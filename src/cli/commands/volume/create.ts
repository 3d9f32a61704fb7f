import { createVolume } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../../command.ts";
import { checkLabel } from "../../create/checks.ts";
import { mapOf } from "../../create/values.ts";

/** Flags of cluster volumes that have no preset: whoever gives one wants such a volume. */
const CLUSTER = [
  "group",
  "limit-bytes",
  "required-bytes",
  "availability",
  "scope",
  "sharing",
  "type",
] as const;
const CLUSTER_LISTS = ["secret", "topology-preferred", "topology-required"] as const;
const OF_CLUSTER = { kind: "text", hint: "string", about: "Of cluster volumes, which need a swarm" } as const;
const LIST_OF_CLUSTER = { ...OF_CLUSTER, kind: "list", hint: "list" } as const;

/** `bunker volume create`. */
export const volumeCreate = defineCli({
  synopsis: "[OPTIONS] [VOLUME]",
  about: "Create a volume",
  example: "bunker volume create --label tier=db -o size=10G data",
  flags: {
    availability: OF_CLUSTER,
    driver: {
      kind: "text",
      hint: "string",
      short: "d",
      preset: "local",
      about: "Specify volume driver name",
    },
    group: OF_CLUSTER,
    label: { kind: "list", about: "Set metadata for a volume", check: checkLabel },
    "limit-bytes": OF_CLUSTER,
    name: { kind: "text" },
    opt: { kind: "list", short: "o", hint: "map", about: "Set driver specific options" },
    "required-bytes": OF_CLUSTER,
    scope: OF_CLUSTER,
    secret: LIST_OF_CLUSTER,
    sharing: OF_CLUSTER,
    "topology-preferred": LIST_OF_CLUSTER,
    "topology-required": LIST_OF_CLUSTER,
    type: OF_CLUSTER,
  },
  words: { min: 0, max: 1 },
  async run({ flags, words: [word = ""], session }) {
    const asked = [
      ...CLUSTER.filter((flag) => flags.text(flag) !== ""),
      ...CLUSTER_LISTS.filter((flag) => flags.list(flag).length > 0),
    ];
    if (asked.length > 0)
      throw new Fault(
        "unsupported",
        `Cannot make a cluster volume (--${asked.join(", --")}): there is no swarm; leave these flags out`,
      );
    if (word !== "" && flags.text("name") !== "")
      throw new Fault(
        "invalid",
        "conflicting options: cannot specify a volume name through both --name and as a positional arg",
      );
    const { Name } = await createVolume(session.daemon, {
      Name: word || flags.text("name"),
      Driver: flags.text("driver"),
      DriverOpts: mapOf(flags.list("opt")),
      Labels: mapOf(flags.list("label")),
    });
    session.say(Name);
    return 0;
  },
});
