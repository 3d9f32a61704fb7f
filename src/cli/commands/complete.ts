import { complete } from "../completion/complete.ts";
import { scan } from "../completion/scan.ts";
import { systemConsole } from "../console.ts";
import { parseFlags, UsageProblem } from "../flags.ts";
import { GLOBAL_FLAGS } from "../globals.ts";
import { cleanCell } from "../output/clean.ts";
import { findPlugin, runPlugin } from "../plugins.ts";
import { Session } from "../session.ts";
import { GROUPS, TOP } from "../tree.ts";

/** What is left to do may be a connection that never comes about: a shell must not wait for it. */
const LEAVE_MILLISECONDS = 20;

/**
 * The hidden `__complete WORD…`: what the last word may become, a line each with a tab before its explanation, then a
 * colon and what the shell is to do besides. Source: cobra, "shell completions", which shells with docker's scripts speak.
 */
export async function completeWords(
  { console, env, program }: Session,
  words: readonly string[],
  { isDescribed }: { isDescribed: boolean },
): Promise<number> {
  using session = new Session(globalsIn(words), { console, env, program });
  const path = pluginFor(session, words);
  if (path !== undefined) return runPlugin(session, path, ["__complete", ...words]);
  const { candidates, directive } = await complete(session, words);
  for (const { text, about } of candidates)
    session.say(cleanCell(text) + (isDescribed && about !== "" ? `\t${about}` : ""));
  session.say(`:${directive}`);
  if (console === systemConsole) setTimeout(() => process.exit(0), LEAVE_MILLISECONDS).unref();
  return 0;
}

/** A plugin completes its own words, by the same protocol. */
function pluginFor(session: Session, words: readonly string[]): string | undefined {
  const [name] = scan(words.slice(0, -1), GLOBAL_FLAGS, true).operands;
  if (name === undefined || Object.hasOwn(TOP, name) || Object.hasOwn(GROUPS, name)) return undefined;
  return findPlugin(session, name);
}

/** The flags before the command, as far as they can be understood yet. */
function globalsIn(words: readonly string[]) {
  try {
    return parseFlags(GLOBAL_FLAGS, words.slice(0, -1), { stopsAtWord: true }).flags;
  } catch (thrown) {
    if (!(thrown instanceof UsageProblem)) throw thrown;
    return parseFlags(GLOBAL_FLAGS, []).flags;
  }
}
