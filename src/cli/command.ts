import { Fault, sentenceOf } from "#errors";
import { ClosedPipe } from "./console.ts";
import { Flags, type FlagTable, parseFlags, UsageProblem } from "./flags.ts";
import type { Session } from "./session.ts";

export interface Invocation<T extends FlagTable> {
  readonly flags: Flags<T>;
  readonly words: readonly string[];
  readonly session: Session;
  /** The command as typed, `bunker container ls`. */
  readonly path: string;
}

/** One command: what it accepts, what its help page says, what it does. */
export interface Command<T extends FlagTable = FlagTable> {
  /** What follows the command's name: `[OPTIONS] CONTAINER [CONTAINER...]` */
  readonly synopsis: string;
  readonly about: string;
  /** A whole command line worth copying. */
  readonly example: string;
  readonly flags: T;
  readonly words: { readonly min: number; readonly max?: number };
  /** Whether the first word ends the flags: what follows belongs to the container. */
  readonly stopsAtWord?: boolean;
  /** Whether every word is somebody else's to understand, flags too. */
  readonly isUnparsed?: boolean;
  /** Returns the exit code. Several words: failures are told as they come, and the code is 1. */
  run(invocation: Invocation<T>): Promise<number>;
}

/** Exit codes. Source: docker run reference, "exit status"; 128+n for an end by signal n. */
export const USAGE_EXIT = 125;
export const FAILURE_EXIT = 1;
const SIGPIPE_EXIT = 141;

export function defineCli<const T extends FlagTable>(command: Command<T>): Command<T> {
  return command;
}

/** A failure that ends the command with a code and a hint of its own. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Parses the words, runs the command, and settles on an exit code: the only place where a failure becomes one. */
export async function perform(
  command: Command,
  words: readonly string[],
  { session, path }: { session: Session; path: string },
): Promise<number> {
  try {
    const parsed = parsedWords(command, words);
    if (parsed.wantsHelp) {
      const { commandHelp } = await import("./help.ts");
      session.console.out(commandHelp(command, path));
      return 0;
    }
    const problem = countProblem(command, parsed.words.length);
    if (problem !== undefined) {
      session.console.err(
        `${session.program}: '${path}' ${problem}\n\n${usage(command, path, problem.includes("at least") ? "See" : "Run")}`,
      );
      return FAILURE_EXIT;
    }
    return await command.run({ flags: parsed.flags, words: parsed.words, session, path });
  } catch (thrown) {
    return settle(thrown, { session, path, usage: usage(command, path) });
  }
}

function parsedWords({ flags, isUnparsed, stopsAtWord = false }: Command, words: readonly string[]) {
  const isHelp = ["--help", "-h"].includes(words[0] ?? "");
  if (isUnparsed && !isHelp) return { flags: new Flags(flags, new Map()), words, wantsHelp: false };
  return parseFlags(flags, words, { stopsAtWord });
}

function usage({ synopsis }: Command, path: string, verb = "Run"): string {
  return `Usage:  ${path}${synopsis === "" ? "" : ` ${synopsis}`}\n\n${verb} '${path} --help' for more information\n`;
}

function countProblem({ words: { min, max } }: Command, count: number): string | undefined {
  const plural = (wanted: number) => (wanted === 1 ? "1 argument" : `${wanted} arguments`);
  if (count >= min && (max === undefined || count <= max)) return undefined;
  if (max === 0) return "accepts no arguments";
  if (max === min) return `requires ${plural(min)}`;
  if (count < min) return `requires at least ${plural(min)}`;
  return `requires at most ${plural(max ?? min)}`;
}

function settle(
  thrown: unknown,
  { session, path, usage }: { session: Session; path: string; usage: string },
): number {
  if (thrown instanceof ClosedPipe) return SIGPIPE_EXIT;
  try {
    if (thrown instanceof UsageProblem) {
      session.console.err(`${thrown.message}\n\n${usage}`);
      return USAGE_EXIT;
    }
    if (thrown instanceof CommandFailure) {
      session.console.err(
        `${session.program}: ${thrown.message}\n\nRun '${path} --help' for more information\n`,
      );
      return thrown.exitCode;
    }
    if (!(thrown instanceof Fault)) throw thrown;
    session.complain(sentenceOf(thrown));
    return FAILURE_EXIT;
  } catch (again) {
    if (again instanceof ClosedPipe) return SIGPIPE_EXIT;
    throw again;
  }
}

/** Does one thing for each name: goes on after a failure, prints the name as typed where asked, and ends with 1 if any failed. */
export async function forEach(
  names: readonly string[],
  { session, prints }: { session: Session; prints: boolean },
  act: (name: string) => Promise<void>,
): Promise<number> {
  let exitCode = 0;
  for (const name of names) {
    try {
      await act(name);
      if (prints) session.say(name);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      session.complain(thrown.message);
      exitCode = FAILURE_EXIT;
      if (thrown.kind === "unavailable" && thrown.message.startsWith("Cannot connect")) break;
    }
  }
  return exitCode;
}
