import type { Flag, FlagTable } from "../flags.ts";

/** What has been typed before the word that is to be completed. */
export interface Scanned {
  /** Words that are no flags. */
  readonly operands: readonly string[];
  /** The flag whose value the next word is. */
  readonly pending: string | undefined;
  /** Whether the next word can be no flag. */
  readonly isOver: boolean;
  /** Where the first operand stands; the number of words where there is none. */
  readonly first: number;
}

/** Goes over words as the reader of flags does, and minds no mistakes. */
export function scan(words: readonly string[], table: FlagTable, stopsAtWord: boolean): Scanned {
  const operands: string[] = [];
  let first = words.length;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--" || word === "-" || !word.startsWith("-")) {
      const isEnd = word === "--";
      if (operands.length === 0) first = Math.min(first, isEnd ? at + 1 : at);
      if (!isEnd && !stopsAtWord) {
        operands.push(word);
        continue;
      }
      operands.push(...words.slice(isEnd ? at + 1 : at));
      return { operands, pending: undefined, isOver: true, first };
    }
    const flag = flagWithValue(word, table);
    if (flag === undefined) continue;
    at++;
    if (at >= words.length) return { operands, pending: flag, isOver: false, first };
  }
  return { operands, pending: undefined, isOver: false, first };
}

/** The flag at the end of this word, if it takes the next word as its value. */
function flagWithValue(word: string, table: FlagTable): string | undefined {
  const takesNext = (found: readonly [string, Flag] | undefined) =>
    found === undefined || found[1].kind === "bool" ? undefined : (found[1].aliasOf ?? found[0]);
  const entries = Object.entries(table);
  if (word.startsWith("--"))
    return word.includes("=") ? undefined : takesNext(entries.find(([name]) => name === word.slice(2)));
  for (const [at, letter] of [...word.slice(1)].entries()) {
    const found = entries.find(([, { short }]) => short === letter);
    if (takesNext(found) !== undefined) return at === word.length - 2 ? takesNext(found) : undefined;
  }
  return undefined;
}
