import { createCheckpoint, listCheckpoints, removeCheckpoint } from "#client";
import { defineCli } from "../command.ts";
import { renderList } from "../output/list.ts";

const FOLDER_FLAG = {
  kind: "text",
  hint: "string",
  about: "Use a custom checkpoint storage directory",
} as const;

/** `bunker checkpoint create`. */
export const checkpointCreate = defineCli({
  synopsis: "[OPTIONS] CONTAINER CHECKPOINT",
  about: "Create a checkpoint from a running container",
  example: "bunker checkpoint create --leave-running web before-upgrade",
  flags: {
    "checkpoint-dir": FOLDER_FLAG,
    "leave-running": { kind: "bool", about: "Leave the container running after checkpoint" },
  },
  words: { min: 2, max: 2 },
  async run({ flags, words: [container = "", name = ""], session }) {
    await createCheckpoint(session.daemon, container, {
      CheckpointID: name,
      CheckpointDir: flags.text("checkpoint-dir"),
      Exit: !flags.bool("leave-running"),
    });
    session.say(name);
    return 0;
  },
});

/** `bunker checkpoint ls`. */
export const checkpointList = defineCli({
  synopsis: "[OPTIONS] CONTAINER",
  about: "List checkpoints for a container",
  example: "bunker checkpoint ls web",
  flags: { "checkpoint-dir": FOLDER_FLAG },
  words: { min: 1, max: 1 },
  async run({ flags, words: [container = ""], session }) {
    const rows = (await listCheckpoints(session.daemon, container, flags.text("checkpoint-dir"))) ?? [];
    const columns = {
      Name: { heading: "CHECKPOINT NAME", value: ({ Name }: { readonly Name: string }) => Name },
    };
    session.console.out(renderList(rows, { columns, standard: "{{.Name}}", format: "" }));
    return 0;
  },
});

/** `bunker checkpoint rm`. */
export const checkpointRemove = defineCli({
  synopsis: "[OPTIONS] CONTAINER CHECKPOINT",
  about: "Remove a checkpoint",
  example: "bunker checkpoint rm web before-upgrade",
  flags: { "checkpoint-dir": FOLDER_FLAG },
  words: { min: 2, max: 2 },
  async run({ flags, words: [container = "", name = ""], session }) {
    await removeCheckpoint(session.daemon, container, { name, folder: flags.text("checkpoint-dir") });
    return 0;
  },
});
