import { nearest } from "#errors";

/** What a flag takes. `list` may be given several times; every other kind keeps its last value. */
export type FlagKind = "bool" | "text" | "int" | "list";

export interface Flag {
  readonly kind: FlagKind;
  readonly short?: string;
  /** One sentence for the help page; a flag without it is not shown. */
  readonly about?: string;
  /** The word behind the flag on the help page when the kind's own says too little: `bytes`, `duration`. */
  readonly hint?: string;
  /** Shown on the help page, and the value when the flag is not given. */
  readonly preset?: string;
  /** Another spelling of this flag. */
  readonly aliasOf?: string;
  /** What is wrong with a value, or undefined. */
  readonly check?: (value: string) => string | undefined;
}

export type FlagTable = Readonly<Record<string, Flag>>;

/** Words that do not fit the command's flags; the message is what docker's client says. */
export class UsageProblem extends Error {
  override readonly name = "UsageProblem";
}

/** The flags that were given. Asking for a flag that the table lacks does not compile. */
export class Flags<T extends FlagTable = FlagTable> {
  readonly #table: T;
  readonly #given: ReadonlyMap<string, readonly string[]>;

  constructor(table: T, given: ReadonlyMap<string, readonly string[]>) {
    this.#table = table;
    this.#given = given;
  }

  /** Whether the flag was given at all. */
  has(name: keyof T & string): boolean {
    return this.#given.has(name);
  }

  bool(name: keyof T & string): boolean {
    return this.text(name) === "true";
  }

  /** The last value, else the preset, else the empty text. */
  text(name: keyof T & string): string {
    return this.#given.get(name)?.at(-1) ?? this.#table[name]?.preset ?? "";
  }

  /** The last value if the flag was given. */
  optional(name: keyof T & string): string | undefined {
    return this.#given.get(name)?.at(-1);
  }

  list(name: keyof T & string): readonly string[] {
    return this.#given.get(name) ?? [];
  }

  /** All values if the flag was given. */
  values(name: keyof T & string): readonly string[] | undefined {
    return this.#given.get(name);
  }

  int(name: keyof T & string): number | undefined {
    const text = this.optional(name);
    return text === undefined ? undefined : Number(text);
  }
}

export interface Parsed<T extends FlagTable> {
  readonly flags: Flags<T>;
  /** The words that are no flags. */
  readonly words: readonly string[];
  readonly wantsHelp: boolean;
}

/**
 * Reads words the way Docker's users type them: `-it`, `-p8020:80`, `--env=A=b`, `-d=false`, `--`, repeated flags.
 * With `stopsAtWord`, whatever follows the first word that is no flag belongs to somebody else.
 * Source: the conventions of getopt_long and of Go's pflag, whose sentences the errors are.
 * @throws UsageProblem
 */
export function parseFlags<T extends FlagTable>(
  table: T,
  input: readonly string[],
  { stopsAtWord = false } = {},
): Parsed<T> {
  const reader = new FlagReader(table, input);
  const words: string[] = [];
  for (let word = reader.next(); word !== undefined; word = reader.next()) {
    if (word === "--") return reader.result(table, [...words, ...reader.rest()]);
    if (word === "-" || !word.startsWith("-")) {
      words.push(word);
      if (stopsAtWord) return reader.result(table, [...words, ...reader.rest()]);
    } else if (word.startsWith("--")) reader.takeLong(word.slice(2));
    else reader.takeShorts(word.slice(1));
    if (reader.wantsHelp) break;
  }
  return reader.result(table, words);
}

class FlagReader {
  readonly #table: FlagTable;
  readonly #given = new Map<string, string[]>();
  readonly #input: readonly string[];
  #at = 0;
  wantsHelp = false;

  constructor(table: FlagTable, input: readonly string[]) {
    this.#table = table;
    this.#input = input;
  }

  #flag(name: string): Flag | undefined {
    return Object.hasOwn(this.#table, name) ? this.#table[name] : undefined;
  }

  /** A loop and no callback: of a hundred flags that would be called often enough to be compiled. */
  #nameOf(short: string): string | undefined {
    for (const name in this.#table) if (this.#table[name]?.short === short) return name;
    return undefined;
  }

  next(): string | undefined {
    return this.#input[this.#at++];
  }

  rest(): readonly string[] {
    return this.#input.slice(this.#at);
  }

  result<T extends FlagTable>(table: T, words: readonly string[]): Parsed<T> {
    return { flags: new Flags(table, this.#given), words, wantsHelp: this.wantsHelp };
  }

  takeLong(text: string): void {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    if (name === "" || name.startsWith("-")) throw new UsageProblem(`bad flag syntax: --${text}`);
    const flag = this.#flag(name);
    if (flag === undefined && name === "help") this.wantsHelp = true;
    else if (flag === undefined) throw new UsageProblem(`unknown flag: --${name}${this.#offer(name)}`);
    else if (equals >= 0) this.#store(name, flag, text.slice(equals + 1));
    else if (flag.kind === "bool") this.#store(name, flag, "true");
    else this.#store(name, flag, this.#argument(`--${name}`));
  }

  takeShorts(text: string): void {
    for (let at = 0; at < text.length; at++) {
      const letter = text[at] ?? "";
      const name = this.#nameOf(letter);
      const flag = name === undefined ? undefined : this.#flag(name);
      if (name === undefined || flag === undefined) {
        if (letter !== "h")
          throw new UsageProblem(`unknown shorthand flag: '${letter}' in -${text.slice(at)}`);
        this.wantsHelp = true;
        return;
      }
      const rest = text.slice(at + 1);
      if (flag.kind === "bool" && !rest.startsWith("=")) {
        this.#store(name, flag, "true");
        continue;
      }
      const value =
        rest === "" ? this.#argument(`'${letter}' in -${text.slice(at)}`) : rest.replace(/^=/, "");
      this.#store(name, flag, value);
      return;
    }
  }

  #argument(asTyped: string): string {
    const value = this.next();
    if (value === undefined) throw new UsageProblem(`flag needs an argument: ${asTyped}`);
    return value;
  }

  #store(typed: string, flag: Flag, value: string): void {
    const name = flag.aliasOf ?? typed;
    const kept = flag.kind === "bool" ? booleanOf(value) : value;
    const reason =
      kept === undefined
        ? `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`
        : ((flag.kind === "int" ? integerProblem(value, flag.hint) : undefined) ?? flag.check?.(value));
    if (kept === undefined || reason !== undefined) {
      const shown = flag.short === undefined ? `--${typed}` : `-${flag.short}, --${typed}`;
      throw new UsageProblem(`invalid argument ${JSON.stringify(value)} for "${shown}" flag: ${reason}`);
    }
    const before = flag.kind === "list" ? (this.#given.get(name) ?? []) : [];
    this.#given.set(name, [...before, kept]);
  }

  #offer(name: string): string {
    const shown = Object.entries(this.#table).flatMap(([known, { about }]) =>
      about === undefined ? [] : [known],
    );
    const found = nearest(name, shown);
    return found === undefined ? "" : `\nDid you mean --${found}?`;
  }
}

function booleanOf(text: string): string | undefined {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return "true";
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return "false";
  return undefined;
}

function integerProblem(text: string, hint = "int"): string | undefined {
  if (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text))) return undefined;
  return `strconv.${hint.startsWith("uint") ? "ParseUint" : "ParseInt"}: parsing ${JSON.stringify(text)}: invalid syntax`;
}
