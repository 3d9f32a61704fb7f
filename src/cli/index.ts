/**
 * Owns words in and text out: flags, tables, templates, progress, terminals, exit codes.
 * Refuses to decide anything about containers: every command is a few calls of the client and their answer in words.
 * Called by `main.ts`.
 */

import { Fault } from "#errors";
import { FAILURE_EXIT, perform, USAGE_EXIT } from "./command.ts";
import { ClosedPipe, type Console, systemConsole } from "./console.ts";
import { parseFlags, UsageProblem } from "./flags.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import { CLIENT_COMMIT, CLIENT_VERSION, type ProgramName, programName } from "./program.ts";
import { Session } from "./session.ts";
import { GROUPS, leafAt } from "./tree.ts";

export type { Console } from "./console.ts";

/** Runs one command line (without the program's name); returns the exit code. */
export async function runCli(
  words: readonly string[],
  {
    console = systemConsole,
    env = process.env,
    program = programName(process.argv0),
  }: { console?: Console; env?: typeof process.env; program?: ProgramName } = {},
): Promise<number> {
  try {
    const { flags, words: rest, wantsHelp } = parseFlags(GLOBAL_FLAGS, words, { stopsAtWord: true });
    if (flags.has("host") && flags.text("context") !== "")
      throw new Fault("invalid", "conflicting options: cannot specify both --host and --context");
    using session = new Session(flags, { console, env, program });
    if (flags.bool("version")) session.say(versionLine(program));
    else if (wantsHelp || rest.length === 0) await showHelp(session, []);
    else await dispatch(session, rest, words);
    await console.settled();
    return session.exitCode;
  } catch (thrown) {
    return failure(thrown, { console, program });
  }
}

/** Called docker, in the form that programs look for. */
function versionLine(program: ProgramName): string {
  if (program !== "docker") return `bunker version ${CLIENT_VERSION}`;
  return `Docker version ${CLIENT_VERSION}, build ${CLIENT_COMMIT || "unknown"}`;
}

function failure(thrown: unknown, { console, program }: { console: Console; program: ProgramName }): number {
  if (thrown instanceof ClosedPipe) return 141;
  if (thrown instanceof UsageProblem) {
    console.err(
      `${thrown.message}\n\nUsage:  ${program} [OPTIONS] COMMAND [ARG...]\n\nRun '${program} --help' for more information\n`,
    );
    return USAGE_EXIT;
  }
  if (!(thrown instanceof Fault)) throw thrown;
  console.err(`${thrown.message}\n`);
  return FAILURE_EXIT;
}

/** `all` are the words with the flags before the command. */
async function dispatch(session: Session, words: readonly string[], all: readonly string[]): Promise<void> {
  const [first = "", second = ""] = words;
  const group = Object.hasOwn(GROUPS, first) ? GROUPS[first] : undefined;
  if (first === "__complete" || first === "__completeNoDesc") return completion(session, words);
  if (first === "help") return showHelp(session, words.slice(1));
  if (group !== undefined && ["--help", "-h"].includes(second)) return showHelp(session, words);
  const meansPreset = group?.preset !== undefined && (second === "" || second.startsWith("-"));
  const typed = meansPreset ? [first, group?.preset ?? "", ...words.slice(1)] : words;
  const found = leafAt(typed, session.program);
  if (found === undefined) return searchTree(session, typed, all);
  const { leaf, path, rest } = found;
  session.exitCode = await perform(await leaf.load(), rest, { session, path });
}

async function completion(session: Session, [verb = "", ...words]: readonly string[]): Promise<void> {
  const { completeWords } = await import("./commands/complete.ts");
  session.exitCode = await completeWords(session, words, { isDescribed: verb === "__complete" });
}

/** Whatever is not plainly the name of a command is a plugin, or is looked for by citty; what it does not find gets help. */
async function searchTree(session: Session, words: readonly string[], all: readonly string[]): Promise<void> {
  const { findPlugin, runPlugin } = await import("./plugins.ts");
  const plugin = findPlugin(session, words[0] ?? "");
  if (plugin !== undefined && !Object.hasOwn(GROUPS, words[0] ?? "")) {
    session.exitCode = await runPlugin(session, plugin, all);
    return;
  }
  const { unbuilt } = await import("./unbuilt.ts");
  const missing = unbuilt(words[0] ?? "");
  if (missing !== undefined) throw new Fault("unsupported", missing);
  const { runTree } = await import("./citty-tree.ts");
  if (!(await runTree(session, words))) await showHelp(session, words);
}

async function showHelp(session: Session, words: readonly string[]): Promise<void> {
  const { explain } = await import("./help.ts");
  await explain(session, words);
}
