/**
 * Owns words in and text out: flags, tables, templates, progress, terminals, exit codes.
 * Refuses to decide anything about containers: every command is a few calls of the client and their answer in words.
 * Called by `main.ts`.
 */

import { hostFromEnvironment } from "#client";
import { Fault } from "#errors";
import { FAILURE_EXIT, perform, USAGE_EXIT } from "./command.ts";
import { ClosedPipe, type Console, systemConsole } from "./console.ts";
import { parseFlags, UsageProblem } from "./flags.ts";
import { GLOBAL_FLAGS, transportOptions } from "./globals.ts";
import { CLIENT_VERSION } from "./program.ts";
import { Session } from "./session.ts";
import { GROUPS, leafAt } from "./tree.ts";

export type { Console } from "./console.ts";

/** Runs one command line (without the program's name); returns the exit code. */
export async function runCli(
  words: readonly string[],
  { console = systemConsole, env = process.env }: { console?: Console; env?: typeof process.env } = {},
): Promise<number> {
  try {
    const { flags, words: rest, wantsHelp } = parseFlags(GLOBAL_FLAGS, words, { stopsAtWord: true });
    const host = flags.list("host").at(-1) ?? hostFromEnvironment(env);
    using session = new Session(host, { console, env, transport: await transportOptions(flags, env) });
    if (flags.bool("version")) session.say(`bunker version ${CLIENT_VERSION}`);
    else if (wantsHelp || rest.length === 0) await showHelp(session, []);
    else await dispatch(session, rest);
    return session.exitCode;
  } catch (thrown) {
    return failure(thrown, console);
  }
}

function failure(thrown: unknown, console: Console): number {
  if (thrown instanceof ClosedPipe) return 141;
  if (thrown instanceof UsageProblem) {
    console.err(
      `${thrown.message}\n\nUsage:  bunker [OPTIONS] COMMAND [ARG...]\n\nRun 'bunker --help' for more information\n`,
    );
    return USAGE_EXIT;
  }
  if (!(thrown instanceof Fault)) throw thrown;
  console.err(`${thrown.message}\n`);
  return FAILURE_EXIT;
}

async function dispatch(session: Session, words: readonly string[]): Promise<void> {
  const [first = "", second = ""] = words;
  const group = Object.hasOwn(GROUPS, first) ? GROUPS[first] : undefined;
  if (first === "help") return showHelp(session, words.slice(1));
  if (group !== undefined && ["--help", "-h"].includes(second)) return showHelp(session, words);
  const meansPreset = group?.preset !== undefined && (second === "" || second.startsWith("-"));
  const typed = meansPreset ? [first, group?.preset ?? "", ...words.slice(1)] : words;
  const found = leafAt(typed);
  if (found === undefined) return searchTree(session, typed);
  const { leaf, path, rest } = found;
  session.exitCode = await perform(await leaf.load(), rest, { session, path });
}

/** Whatever is not plainly the name of a command is looked for by citty; what it does not find gets help. */
async function searchTree(session: Session, words: readonly string[]): Promise<void> {
  const { runTree } = await import("./citty-tree.ts");
  if (!(await runTree(session, words))) await showHelp(session, words);
}

async function showHelp(session: Session, words: readonly string[]): Promise<void> {
  const { explain } = await import("./help.ts");
  await explain(session, words);
}
