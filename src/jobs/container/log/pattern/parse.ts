import { Fault } from "#errors";

/** What of a pattern matters to whether it is found: groups and how greedy it is do not. */
export type Pattern =
  | { readonly kind: "one"; readonly takes: (character: string) => boolean }
  | { readonly kind: "edge"; readonly holds: Edge }
  | { readonly kind: "all"; readonly parts: readonly Pattern[] }
  | { readonly kind: "any"; readonly parts: readonly Pattern[] }
  | { readonly kind: "repeat"; readonly part: Pattern; readonly least: number; readonly most: number };

/** Between two characters, or one and an end of the text. */
export type Edge = (before: string | undefined, after: string | undefined) => boolean;

interface Flags {
  readonly i: boolean;
  readonly s: boolean;
  readonly m: boolean;
}

/** Source: Go's regexp/syntax: no repetition goes further. */
const MOST_TIMES = 1000;
const LONGEST = 1000;
const REPEATS: Readonly<Record<string, readonly [number, number]>> = {
  "*": [0, Number.POSITIVE_INFINITY],
  "+": [1, Number.POSITIVE_INFINITY],
  "?": [0, 1],
};
const POSIX: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  blank: "\\t ",
  digit: "0-9",
  lower: "a-z",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\t\\n\\v\\f\\r ",
  upper: "A-Z",
  word: "0-9A-Za-z_",
  xdigit: "0-9A-Fa-f",
};
const isWord = (character: string | undefined) => character !== undefined && /^\w$/.test(character);
const isBoundary: Edge = (before, after) => isWord(before) !== isWord(after);
const EDGES: Readonly<Record<string, Edge>> = {
  "\\A": (before) => before === undefined,
  "\\z": (_, after) => after === undefined,
  "\\b": isBoundary,
  "\\B": (before, after) => !isBoundary(before, after),
};

/** Reads a pattern of Go's, RE2. Throws `invalid`. Source: Go, regexp/syntax. */
export function parsePattern(text: string): Pattern {
  if (text.length > LONGEST) throw wrong(`it is longer than ${LONGEST} characters`);
  const parser = new Parser(text);
  const pattern = parser.alternatives({ i: false, s: false, m: false });
  if (!parser.isAtEnd) throw wrong("unexpected )");
  return pattern;
}

class Parser {
  #rest: string;

  constructor(text: string) {
    this.#rest = text;
  }

  get isAtEnd(): boolean {
    return this.#rest === "";
  }

  alternatives(outer: Flags): Pattern {
    let flags = outer;
    let parts: Pattern[] = [];
    const alternatives: Pattern[] = [];
    while (!this.isAtEnd && !this.#rest.startsWith(")")) {
      const [mark, letters = "", off = ""] = this.#take(/^\(\?([imsU]*)(?:-([imsU]+))?\)/) ?? [];
      if (mark !== undefined) flags = changed(flags, letters, off);
      else if (this.#take(/^\|/) !== undefined) {
        alternatives.push({ kind: "all", parts });
        parts = [];
      } else parts.push(this.#repeated(this.#atom(flags)));
    }
    return { kind: "any", parts: [...alternatives, { kind: "all", parts }] };
  }

  #repeated(atom: Pattern): Pattern {
    const [mark, sign, least, comma, most] = this.#take(/^(?:([*+?])|\{(\d{1,4})(,?)(\d{0,4})\})\??/) ?? [];
    if (mark === undefined) return atom;
    const [from, to] = REPEATS[sign ?? ""] ?? [
      Number(least),
      most !== "" ? Number(most) : comma === "" ? Number(least) : Number.POSITIVE_INFINITY,
    ];
    if (from > to || from > MOST_TIMES || (to > MOST_TIMES && to !== Number.POSITIVE_INFINITY))
      throw wrong(`invalid repeat count ${mark}`);
    if (/^[*+?]|^\{\d/.test(this.#rest))
      throw wrong(`invalid nested repetition operator ${mark}${this.#rest[0]}`);
    return { kind: "repeat", part: atom, least: from, most: to };
  }

  #atom(flags: Flags): Pattern {
    const [group, letters = "", off = ""] =
      this.#take(/^\((?:\?([imsU]*)(?:-([imsU]+))?:|\?P?<\w+>)?(?!\?)/) ?? [];
    if (group !== undefined) return this.#group(changed(flags, letters, off));
    const [edge] = this.#take(/^\\[AzbB]/) ?? [];
    if (edge !== undefined) return { kind: "edge", holds: EDGES[edge] ?? isBoundary };
    const [set] = this.#take(/^\[\^?\]?(?:\[:\^?\w+:\]|\\[\s\S]|[^\]\\])*\]/) ?? [];
    if (set !== undefined) return one(setOf(set), flags);
    const [escaped] =
      this.#take(/^\\(?:[pP]\{\^?\w+\}|[pP]\w|x\{[\da-fA-F]{1,6}\}|x[\da-fA-F]{2}|[\s\S])/u) ?? [];
    if (escaped !== undefined) return one(escapeOf(escaped), flags);
    const [character = ""] = this.#take(/^[^\\[(]/u) ?? [];
    if (/^[*+?]$/.test(character)) throw wrong(`missing argument to repetition operator ${character}`);
    if (character === "^") return { kind: "edge", holds: (a) => a === undefined || (flags.m && a === "\n") };
    if (character === "$")
      return { kind: "edge", holds: (_, b) => b === undefined || (flags.m && b === "\n") };
    if (character === ".") return one(flags.s ? "[^]" : "[^\\n]", flags);
    if (character === "") throw wrong(`it is not understood at ${this.#rest.slice(0, 20)}`);
    return one(literal(character), flags);
  }

  #group(flags: Flags): Pattern {
    const inner = this.alternatives(flags);
    if (this.#take(/^\)/) === undefined) throw wrong("missing closing )");
    return inner;
  }

  #take(expression: RegExp): RegExpExecArray | undefined {
    const found = expression.exec(this.#rest);
    if (found !== null) this.#rest = this.#rest.slice(found[0].length);
    return found ?? undefined;
  }
}

function changed(flags: Flags, on: string, off: string): Flags {
  const after = (letter: "i" | "s" | "m") => (flags[letter] || on.includes(letter)) && !off.includes(letter);
  return { i: after("i"), s: after("s"), m: after("m") };
}

/** Of one character JavaScript decides, in whose words `source` is. */
function one(source: string, { i }: Flags): Pattern {
  try {
    const expression = new RegExp(`^${source}$`, i ? "iu" : "u");
    return { kind: "one", takes: (character) => expression.test(character) };
  } catch (thrown) {
    throw wrong(`it is not understood at ${source}`, thrown);
  }
}

/** A set in JavaScript's words. */
function setOf(text: string): string {
  const [, not = "", inside = ""] = /^\[(\^?)([\s\S]*)\]$/.exec(text) ?? [];
  const words = inside.replaceAll(
    /\[:(\^?)(\w+):\]|\\(?:[pP]\{\^?\w+\}|x\{\w+\}|x\w\w|[\s\S])|[[\]]/gu,
    (part, isNot, name) => {
      if (name === undefined) return part.startsWith("\\") ? escapeOf(part) : literal(part);
      if (isNot !== "" || !Object.hasOwn(POSIX, name)) throw wrong(`invalid character class range ${part}`);
      return POSIX[name] ?? "";
    },
  );
  return `[${not}${words}]`;
}

function escapeOf(text: string): string {
  if (/^\\x/.test(text)) return `\\u{${text.replace(/^\\x\{?|\}$/g, "")}}`;
  if (/^\\[pP]\w$/.test(text)) return `${text.slice(0, 2)}{${text.slice(2)}}`;
  if (/^\\[pP]\{\^/.test(text)) throw wrong(`it is not understood at ${text}`);
  if (/^\\[dDwWsSnrtfvpP]/.test(text)) return text;
  if (/^\\[A-Za-z0-9]/.test(text)) throw wrong(`invalid escape sequence ${text}`);
  return literal(text.slice(1));
}

const literal = (character: string) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

function wrong(reason: string, cause?: unknown): Fault {
  return new Fault("invalid", `error parsing regexp: ${reason}`, { cause });
}
