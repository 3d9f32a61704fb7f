import { type CommandDef, defineCommand, runCommand } from "citty";
import { perform } from "./command.ts";
import type { Session } from "./session.ts";
import { GROUPS, type Leaf, TOP } from "./tree.ts";

/** Keys like `toString` must not be found, so the table has no prototype. */
function bare<V>(entries: readonly (readonly [string, V])[]): Record<string, V> {
  return Object.assign(Object.create(null), Object.fromEntries(entries));
}

/** The command tree for citty, which walks it and loads what was typed; the exit code goes to the session. */
function commandTree(session: Session): CommandDef {
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
          subCommands: () => bare(branch(commands, `${session.program} ${name}`)),
        }),
      ] as const,
  );
  return defineCommand({
    meta: { name: session.program },
    subCommands: bare<CommandDef>([...branch(TOP, session.program), ...groups]),
  });
}

/** Lets citty find and run the command; false when there is none. */
export async function runTree(session: Session, words: readonly string[]): Promise<boolean> {
  try {
    await runCommand(commandTree(session), { rawArgs: [...words] });
    return true;
  } catch (thrown) {
    if (!(thrown instanceof Error && thrown.name === "CLIError")) throw thrown; // citty keeps its class to itself.
    return false;
  }
}
