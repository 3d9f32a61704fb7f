import { Fault, nearest } from "#errors";
import type { Command } from "./command.ts";
import type { Flag, FlagTable } from "./flags.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import type { Session } from "./session.ts";
import { GROUPS, type Leaf, leafAt, TOP } from "./tree.ts";
import { unbuilt } from "./unbuilt.ts";

const WIDTH = 80;

/** The help page of one command. */
export function commandHelp({ synopsis, about, example, flags }: Command, path: string): string {
  const options = optionLines(flags);
  const aliases = spellings(path);
  return [
    `Usage:  ${path}${synopsis === "" ? "" : ` ${synopsis}`}`,
    about,
    ...(aliases.length < 2 ? [] : [`Aliases:\n  ${aliases.join(", ")}`]),
    ...(options === "" ? [] : [`Options:\n${options}`]),
    `Example:\n  ${example.replace(/^bunker\b/, path.split(" ", 1)[0] ?? "")}`,
  ]
    .join("\n\n")
    .concat("\n");
}

/** Every spelling of the command that this path leads to. */
function spellings(path: string): string[] {
  const [program = "", ...words] = path.split(" ");
  const leaf = leafAt(words, program)?.leaf;
  const inside = Object.entries(GROUPS).flatMap(([group, { commands }]) =>
    Object.entries(commands).map(([name, found]) => [`${program} ${group} ${name}`, found] as const),
  );
  const top = Object.entries(TOP).map(([name, found]) => [`${program} ${name}`, found] as const);
  return [...inside, ...top].flatMap(([spelling, found]) => (found === leaf ? [spelling] : []));
}

function optionLines(flags: FlagTable): string {
  const shown = Object.entries(flags)
    .filter(([, { about }]) => about !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1));
  const heads = shown.map(([name, flag]) => headOf(name, flag));
  const width = Math.max(0, ...heads.map((head) => head.length)) + 3;
  return shown
    .map(([, flag], at) => `${(heads[at] ?? "").padEnd(width)}${wrapped(aboutOf(flag), width)}`)
    .join("\n");
}

function headOf(name: string, { short, kind, hint }: Flag): string {
  const value = kind === "bool" ? "" : ` ${hint ?? (kind === "text" ? "string" : kind)}`;
  return `  ${short === undefined ? "   " : `-${short},`} --${name}${value}`;
}

function aboutOf({ about = "", preset, kind }: Flag): string {
  if (preset === undefined) return about;
  return `${about} (default ${kind === "text" ? JSON.stringify(preset) : preset})`;
}

function wrapped(text: string, indent: number): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || indent + last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}

/** What the program can be besides a client. */
export const ROLES = {
  daemon: { about: "Run the daemon; see 'bunker daemon --help'" },
  registry: { about: "Run a private registry; see 'bunker registry --help'" },
};

/**
 * The page for words that lead to no command that could run: the whole program, a group, or what is unknown (with the
 * nearest that is known). Sets the session's exit code.
 */
export async function explain(session: Session, words: readonly string[]): Promise<void> {
  const [first = "", second = ""] = words;
  const { program } = session;
  const group = Object.hasOwn(GROUPS, first) ? GROUPS[first] : undefined;
  if (first === "") return session.console.out(programHelp(program));
  if (Object.hasOwn(ROLES, first))
    return session.say(`Run '${program} ${first} --help': the ${first} explains itself.`);
  if (group !== undefined && (second === "" || second.startsWith("-")))
    return explainGroup(session, first, second);
  const missing = unbuilt(first);
  if (missing !== undefined && !Object.hasOwn(TOP, first)) throw new Fault("unsupported", missing);
  const leaves = group?.commands ?? TOP;
  const name = group === undefined ? first : second;
  const leaf = Object.hasOwn(leaves, name) ? leaves[name] : undefined;
  const path = group === undefined ? program : `${program} ${first}`;
  if (leaf !== undefined) return session.console.out(commandHelp(await leaf.load(), `${path} ${name}`));
  const known = [...Object.keys(leaves), ...(group === undefined ? Object.keys(GROUPS) : [])];
  const offered = nearest(name, known);
  session.console.err(
    `${program}: unknown command: ${path} ${name}\n${offered === undefined ? "" : `Did you mean '${path} ${offered}'?\n`}\nRun '${path} --help' for more information\n`,
  );
  session.exitCode = 1;
}

function explainGroup(session: Session, name: string, flag: string): void {
  const isUnknown = flag !== "" && flag !== "--help" && flag !== "-h";
  if (!isUnknown) {
    const { out, err } = session.console;
    (flag === "" ? err : out)(groupHelp(name, session.program));
    return;
  }
  session.console.err(
    `unknown flag: ${flag}\n\nUsage:  ${session.program} ${name} COMMAND\n\nRun '${session.program} ${name} --help' for more information\n`,
  );
  session.exitCode = 125;
}

function groupHelp(name: string, program: string): string {
  const { about = "", commands = {} } = GROUPS[name] ?? {};
  return `Usage:  ${program} ${name} COMMAND\n\n${about}\n\nCommands:\n${leafLines(commands)}\n\nRun '${program} ${name} COMMAND --help' for more information on a command.\n`;
}

function programHelp(program: string): string {
  const groups = Object.entries(GROUPS).map(([name, { about }]) => [name, about] as const);
  return [
    `Usage:  ${program} [OPTIONS] COMMAND [ARG...]`,
    "A container engine in one file, speaking the Docker Engine API",
    `Commands:\n${leafLines({ ...ROLES, ...TOP })}`,
    `Management Commands:\n${lines(groups)}`,
    `Global Options:\n${optionLines(GLOBAL_FLAGS)}`,
    "Environment:\n  BUNKER_HOST, DOCKER_HOST   Daemon socket to connect to (default unix:///run/bunker/bunker.sock)",
    `Example:\n  ${program} run -d -p 8020:80 httpd`,
    `Run '${program} COMMAND --help' for more information on a command.\n`,
  ].join("\n\n");
}

/** Each leaf once, by its first spelling, in order of the alphabet. */
function leafLines(leaves: Readonly<Record<string, Pick<Leaf, "about">>>): string {
  const seen = new Set<unknown>();
  const first = Object.entries(leaves).filter(([, leaf]) => !seen.has(leaf) && seen.add(leaf));
  return lines(
    first
      .map(([name, { about }]) => [name, about] as const)
      .sort(([left], [right]) => (left < right ? -1 : 1)),
  );
}

function lines(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, about]) => `  ${name.padEnd(width)}${about}`).join("\n");
}
