import { createSnapshot, listSnapshots, removeSnapshot, type VolumeSnapshot } from "#client";
import { CommandFailure, defineCli, forEach, USAGE_EXIT } from "../../command.ts";
import { FORMAT_FLAG } from "../../listing.ts";
import { type Columns, renderList } from "../../output/list.ts";
import { LIVE_FLAG } from "./content.ts";

const STANDARD = "{{.Name}}\t{{.CreatedAt}}";
const COLUMNS: Columns<VolumeSnapshot> = {
  Name: { heading: "SNAPSHOT", value: ({ Name }) => Name },
  CreatedAt: { heading: "CREATED AT", value: ({ CreatedAt }) => CreatedAt },
};

/** `bunker volume snapshot`: three things to do, in one command, since there are no groups within groups. */
export const volumeSnapshot = defineCli({
  synopsis:
    "[OPTIONS] create VOLUME [SNAPSHOT]\n        bunker volume snapshot [OPTIONS] ls VOLUME\n        bunker volume snapshot rm VOLUME SNAPSHOT [SNAPSHOT...]",
  about: "Keep a volume's content as it is now, list what is kept, remove it",
  example: "bunker volume snapshot create data before-upgrade",
  flags: {
    format: FORMAT_FLAG,
    live: LIVE_FLAG,
    quiet: { kind: "bool", short: "q", about: "Only display the names of snapshots (ls)" },
  },
  words: { min: 2 },
  async run({ flags, words: [action = "", name = "", ...snapshots], session }) {
    if (action === "create" && snapshots.length <= 1) {
      const [snapshot = ""] = snapshots;
      const made = await createSnapshot(session.daemon, name, { snapshot, isLive: flags.bool("live") });
      session.say(made.Name);
      return 0;
    }
    if (action === "rm" && snapshots.length > 0)
      return forEach(snapshots, { session, prints: true }, (snapshot) =>
        removeSnapshot(session.daemon, name, snapshot),
      );
    if (action === "ls" && snapshots.length === 0) {
      const isQuiet = flags.bool("quiet") && flags.text("format") === "";
      const format = isQuiet ? "{{.Name}}" : flags.text("format");
      const rows = await listSnapshots(session.daemon, name);
      session.console.out(renderList(rows, { columns: COLUMNS, standard: STANDARD, format }));
      return 0;
    }
    throw new CommandFailure(
      USAGE_EXIT,
      `Cannot ${action} a snapshot of ${name} like that: it is create VOLUME [SNAPSHOT], ls VOLUME, or rm VOLUME SNAPSHOT...`,
    );
  },
});
