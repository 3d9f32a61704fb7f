import { type CommandDef, defineCommand } from "citty";
import { type Command, perform } from "./command.ts";
import type { Session } from "./session.ts";

export interface Leaf {
  readonly about: string;
  /** Commands are loaded when they are typed: the others cost nothing. */
  readonly load: () => Promise<Command>;
}

export interface Group {
  readonly about: string;
  /** Every spelling, with its leaf. The first spelling of a leaf is the one that help shows. */
  readonly commands: Readonly<Record<string, Leaf>>;
}

const leaf = (about: string, load: () => Promise<Command>): Leaf => ({ about, load });

const run = leaf(
  "Create and run a new container from an image",
  async () => (await import("./commands/run.ts")).run,
);
const ps = leaf("List containers", async () => (await import("./commands/ps.ts")).ps);
const logs = leaf("Fetch the logs of a container", async () => (await import("./commands/logs.ts")).logs);
const rm = leaf("Remove one or more containers", async () => (await import("./commands/rm.ts")).rm);
const version = leaf(
  "Show the version of client and daemon",
  async () => (await import("./commands/version.ts")).version,
);

export const TOP: Readonly<Record<string, Leaf>> = { run, ps, logs, rm, version };

export const GROUPS: Readonly<Record<string, Group>> = {
  container: { about: "Manage containers", commands: { run, ls: ps, list: ps, ps, logs, rm, remove: rm } },
};

/** Keys like `toString` must not be found, so the table has no prototype. */
function bare<V>(entries: readonly (readonly [string, V])[]): Record<string, V> {
  return Object.assign(Object.create(null), Object.fromEntries(entries));
}

/** The command tree for citty, which walks it and loads what was typed; the exit code goes to the session. */
export function commandTree(session: Session): CommandDef {
  const branch = (commands: Readonly<Record<string, Leaf>>, path: string) =>
    Object.entries(commands).map(
      ([name, { about, load }]) =>
        [
          name,
          defineCommand({
            meta: { name, description: about },
            async run({ rawArgs }) {
              session.exitCode = await perform(await load(), rawArgs, { session, path: `${path} ${name}` });
            },
          }),
        ] as const,
    );
  const groups = Object.entries(GROUPS).map(
    ([name, { about, commands }]) =>
      [
        name,
        defineCommand({
          meta: { name, description: about },
          subCommands: () => bare(branch(commands, `bunker ${name}`)),
        }),
      ] as const,
  );
  return defineCommand({
    meta: { name: "bunker" },
    subCommands: bare<CommandDef>([...branch(TOP, "bunker"), ...groups]),
  });
}
