import { Fault } from "#errors";
import type { FlagTable } from "../flags.ts";
import { GLOBAL_FLAGS } from "../globals.ts";
import { ROLES } from "../help.ts";
import type { Session } from "../session.ts";
import { GROUPS, type Leaf, leafAt, TOP } from "../tree.ts";
import { isOffered } from "../unbuilt.ts";
import { type Scanned, scan } from "./scan.ts";
import { namesOf } from "./sources.ts";
import { FILTER_VALUES, FILTERS, type Offer, OPERANDS, PATH_FLAGS, VALUES } from "./table.ts";

export interface Candidate {
  readonly text: string;
  readonly about: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** What the shell is to do besides, as bits. Source: cobra, "shell completions". */
  readonly directive: number;
}

export const NO_SPACE = 2;
export const NO_FILES = 4;

/** A shell waits for us: the daemon has so long to answer. */
const PATIENCE_MILLISECONDS = 1500;

/** What the last word may become, those before it being what they are. */
export async function complete(session: Session, words: readonly string[]): Promise<Completion> {
  const partial = words.at(-1) ?? "";
  const typed = words.slice(0, -1);
  const outer = scan(typed, GLOBAL_FLAGS, true);
  const [group = "", ...more] = outer.operands;
  if (outer.operands.length === 0) return atTop(session, { partial, scanned: outer });
  const inner = Object.hasOwn(GROUPS, group) ? GROUPS[group] : undefined;
  if (inner !== undefined && more.length === 0)
    return matching(commandsOf(inner.commands), partial, NO_FILES);
  const found = leafAt(outer.operands, "");
  if (found === undefined) return { candidates: [], directive: 0 };
  const command = await found.leaf.load();
  if (command.isUnparsed === true) return { candidates: [], directive: 0 };
  const scanned = scan(found.rest, command.flags, command.stopsAtWord ?? false);
  const name = shortName(found.leaf, found.path.trim());
  return inCommand(session, { name, table: command.flags, partial, scanned });
}

function atTop(
  session: Session,
  { partial, scanned }: { partial: string; scanned: Scanned },
): Promise<Completion> | Completion {
  if (scanned.pending !== undefined || (partial.startsWith("-") && !scanned.isOver))
    return inCommand(session, { name: "", table: GLOBAL_FLAGS, partial, scanned });
  const groups = Object.entries(GROUPS).flatMap(([text, { about }]) =>
    isOffered(text) ? [{ text, about }] : [],
  );
  const roles = Object.entries(ROLES).map(([text, { about }]) => ({ text, about }));
  return matching([...commandsOf(TOP), ...groups, ...roles], partial, NO_FILES);
}

interface Place {
  readonly name: string;
  readonly table: FlagTable;
  readonly partial: string;
  readonly scanned: Scanned;
}

async function inCommand(session: Session, { name, table, partial, scanned }: Place): Promise<Completion> {
  if (scanned.pending !== undefined)
    return value(session, { name, flag: scanned.pending, partial, before: "" });
  const [, before = "", flag = ""] = /^(--([\w-]+)=)/.exec(partial) ?? [];
  if (before !== "" && !scanned.isOver) return value(session, { name, flag, partial, before });
  if (partial.startsWith("-") && !scanned.isOver) return matching(flagsOf(table), partial, NO_FILES);
  const { offers, isMany } = OPERANDS[name] ?? { offers: [], isMany: false };
  const at = scanned.operands.length;
  const offered = offers[at] ?? (isMany ? offers.at(-1) : undefined);
  if (offered === undefined) return { candidates: [], directive: 0 };
  const taken = new Set(scanned.operands);
  const names = (await namesFor(session, offered)).filter((text) => !taken.has(text));
  return matching(plain(names), partial, NO_FILES);
}

async function value(
  session: Session,
  { name, flag, partial, before }: { name: string; flag: string; partial: string; before: string },
): Promise<Completion> {
  if (flag === "filter") return filter(session, { name, partial, before });
  const offers = VALUES[flag];
  if (offers === undefined) return { candidates: [], directive: PATH_FLAGS.has(flag) ? 0 : NO_FILES };
  const names = await namesFor(session, offers);
  return matching(plain(names.map((text) => before + text)), partial, NO_FILES);
}

async function filter(
  session: Session,
  { name, partial, before }: { name: string; partial: string; before: string },
): Promise<Completion> {
  const typed = partial.slice(before.length);
  const equals = typed.indexOf("=");
  if (equals < 0) {
    const keys = (FILTERS[name] ?? []).map((key) => `${before}${key}=`);
    return matching(plain(keys), partial, NO_FILES | NO_SPACE);
  }
  const key = typed.slice(0, equals);
  const names = await namesFor(session, FILTER_VALUES[key] ?? []);
  return matching(plain(names.map((text) => `${before}${key}=${text}`)), partial, NO_FILES);
}

/** Nothing where there is no daemon, or it takes too long. */
async function namesFor(session: Session, offers: readonly Offer[]): Promise<string[]> {
  const late = new Promise<string[]>((resolve) => {
    setTimeout(() => resolve([]), PATIENCE_MILLISECONDS).unref();
  });
  const ask = async (offer: Offer) => {
    if (typeof offer !== "string") return offer;
    try {
      return await namesOf(session, offer);
    } catch (thrown) {
      if (thrown instanceof Fault) return [];
      throw thrown;
    }
  };
  return Promise.race([Promise.all(offers.map(ask)).then((all) => all.flat()), late]);
}

const plain = (names: readonly string[]): Candidate[] =>
  [...new Set(names)].map((text) => ({ text, about: "" }));

/** Each spelling of a command that help shows. */
function commandsOf(leaves: Readonly<Record<string, Leaf>>): Candidate[] {
  const seen = new Set<Leaf>();
  return Object.entries(leaves).flatMap(([text, leaf]) => {
    if (seen.has(leaf) || !isOffered(text)) return [];
    seen.add(leaf);
    return [{ text, about: leaf.about }];
  });
}

const flagsOf = (table: FlagTable): Candidate[] =>
  Object.entries(table).flatMap(([name, { about }]) =>
    about === undefined ? [] : [{ text: `--${name}`, about }],
  );

function matching(all: readonly Candidate[], partial: string, directive: number): Completion {
  const candidates = all.filter(({ text }) => text.startsWith(partial));
  return { candidates: candidates.sort((a, b) => (a.text < b.text ? -1 : 1)), directive };
}

/** The command's name in the tables: its short spelling if it has one, else the first within its group. */
function shortName(leaf: Leaf, path: string): string {
  const [top] = Object.entries(TOP).find(([, found]) => found === leaf) ?? [];
  if (top !== undefined) return top;
  const [group = ""] = path.split(" ");
  const [first = ""] =
    Object.entries(GROUPS[group]?.commands ?? {}).find(([, found]) => found === leaf) ?? [];
  return `${group} ${first}`;
}
