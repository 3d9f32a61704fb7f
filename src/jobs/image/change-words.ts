import { Fault } from "#errors";

/** How the words of a Dockerfile instruction are read. Source: Dockerfile reference, "Environment replacement", "Escape". */

/** A JSON list of strings; undefined for what is none. */
export function listOf(text: string): readonly string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    const isList = Array.isArray(value) && value.every((word) => typeof word === "string");
    return isList ? (value as readonly string[]) : undefined;
  } catch {
    return undefined;
  }
}

/** Words as a shell tells them apart, quotes and backslashes taken away, variables replaced. */
export function wordsOf(text: string, variables: ReadonlyMap<string, string>): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? "";
    if (quote === "" && /\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (quote === "" ? letter === '"' || letter === "'" : letter === quote) {
      quote = quote === "" ? letter : "";
      word ??= "";
    } else if (letter === "\\" && quote !== "'" && at + 1 < text.length) {
      word = `${word ?? ""}${unescaped(text[++at] ?? "", quote)}`;
    } else if (letter === "$" && quote !== "'") {
      const [value, length] = replaced(text.slice(at), variables);
      word = `${word ?? ""}${value}`;
      at += length - 1;
    } else word = `${word ?? ""}${letter}`;
  }
  if (quote !== "")
    throw new Fault("invalid", `unexpected end of statement while looking for matching ${quote}`);
  return word === undefined ? words : [...words, word];
}

/** Between double quotes a backslash stays before what it means nothing to. */
function unescaped(letter: string, quote: string): string {
  return quote === '"' && !['"', "$", "\\"].includes(letter) ? `\\${letter}` : letter;
}

const VARIABLE = /^\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})/;

/** The value of `$NAME`, `${NAME}`, `${NAME:-else}` or `${NAME:+then}` at the start, and its length in the text. */
function replaced(text: string, variables: ReadonlyMap<string, string>): readonly [string, number] {
  const match = VARIABLE.exec(text);
  if (match === null) return ["$", 1];
  const [whole, plain, braced, sign, word = ""] = match;
  const value = variables.get(plain ?? braced ?? "") ?? "";
  if (sign === "-") return [value === "" ? word : value, whole.length];
  if (sign === "+") return [value === "" ? "" : word, whole.length];
  return [value, whole.length];
}

/** Up to the first space that is neither quoted nor escaped. */
const FIRST = /^(?:"(?:\\.|[^"])*"|'[^']*'|\\.|[^\s"'\\])+/;

/** `key=value` pairs, or one in the old form `key value`. */
export function pairsOf(
  text: string,
  {
    variables,
    instruction,
  }: { readonly variables: ReadonlyMap<string, string>; readonly instruction: string },
): readonly (readonly [string, string])[] {
  const [first = ""] = FIRST.exec(text) ?? [];
  if (!first.includes("=")) {
    const value = text.slice(first.length).trim();
    if (value === "") throw new Fault("invalid", `${instruction} must have two arguments`);
    return [[first, wordsOf(value, variables).join(" ")]];
  }
  return wordsOf(text, variables).map((word) => {
    const equals = word.indexOf("=");
    if (equals <= 0)
      throw new Fault(
        "invalid",
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}
