import { TemplateProblem } from "./problem.ts";

export type TokenKind =
  | "field"
  | "variable"
  | "identifier"
  | "string"
  | "char"
  | "number"
  | "dot"
  | "pipe"
  | "open"
  | "close"
  | "declare"
  | "assign"
  | "comma";

export interface Token {
  readonly kind: TokenKind;
  /** As written. */
  readonly text: string;
  /** Bytes from the beginning of its action's line, for messages. */
  readonly at: number;
  /** Whether white space stands before it: `.a .b` are two operands, `.a.b` is one. */
  readonly isSpaced: boolean;
}

export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "action";
      readonly tokens: readonly Token[];
      readonly line: number;
      readonly source: string;
    };

const KINDS: readonly (readonly [TokenKind, RegExp])[] = [
  ["string", /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ["char", /'(?:[^'\\\n]|\\.)+'/y],
  [
    "number",
    /[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)/y,
  ],
  ["field", /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ["variable", /\$[\p{L}\p{N}_]*/uy],
  ["identifier", /[\p{L}_][\p{L}\p{N}_]*/uy],
  ["declare", /:=/y],
  ["assign", /=/y],
  ["dot", /\./y],
  ["pipe", /\|/y],
  ["open", /\(/y],
  ["close", /\)/y],
  ["comma", /,/y],
];

const SPACE = /[ \t\r\n]+/y;

/** Cuts a template into text and actions; `{{-` and `-}}` trim the white space beside them. */
export function lex(source: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimsNext = false;
  for (let open = source.indexOf("{{", at); open >= 0; open = source.indexOf("{{", at)) {
    const trimsBefore = /^-[ \t\r\n]/.test(source.slice(open + 2, open + 4));
    pieces.push(textPiece(source.slice(at, open), trimsNext, trimsBefore));
    const begin = open + 2 + (trimsBefore ? 2 : 0);
    const line = source.slice(0, open).split("\n").length;
    const { tokens, end, trimsAfter } = isComment(source, begin)
      ? comment(source, begin, line)
      : action(source, { begin, line });
    if (tokens !== undefined)
      pieces.push({ kind: "action", tokens, line, source: source.slice(begin, end - 2) });
    trimsNext = trimsAfter;
    at = end;
  }
  pieces.push(textPiece(source.slice(at), trimsNext, false));
  return pieces.filter((piece) => piece.kind === "action" || piece.text !== "");
}

function textPiece(text: string, trimsStart: boolean, trimsEnd: boolean): Piece {
  const started = trimsStart ? text.replace(/^[ \t\r\n]+/, "") : text;
  return { kind: "text", text: trimsEnd ? started.replace(/[ \t\r\n]+$/, "") : started };
}

interface Scanned {
  readonly tokens?: Token[];
  readonly end: number;
  readonly trimsAfter: boolean;
}

const isComment = (source: string, begin: number) => source.startsWith("/*", begin);

function comment(source: string, begin: number, line: number): Scanned {
  const close = source.indexOf("*/", begin);
  if (close < 0) throw new TemplateProblem(line, "unclosed comment");
  const [whole, trim] = /^(?:([ \t\r\n]+-))?\}\}/.exec(source.slice(close + 2)) ?? [];
  if (whole === undefined) throw new TemplateProblem(line, "comment ends before closing delimiter");
  return { end: close + 2 + whole.length, trimsAfter: trim !== undefined };
}

function action(source: string, { begin, line }: { begin: number; line: number }): Scanned {
  const tokens: Token[] = [];
  const lineStart = source.lastIndexOf("\n", begin - 1) + 1;
  let at = begin;
  let isSpaced = true;
  for (;;) {
    if (at >= source.length) throw new TemplateProblem(line, "unclosed action");
    const [, trim] = /^(?:([ \t\r\n]+-))?\}\}/.exec(source.slice(at, at + 64)) ?? [null, null];
    if (trim !== null) return { tokens, end: source.indexOf("}}", at) + 2, trimsAfter: trim !== undefined };
    SPACE.lastIndex = at;
    const space = SPACE.exec(source);
    if (space !== null) {
      at += space[0].length;
      isSpaced = true;
      continue;
    }
    const token = tokenAt(source, at, { line, isSpaced, at: at - lineStart });
    tokens.push(token);
    at += token.text.length;
    isSpaced = false;
  }
}

function tokenAt(
  source: string,
  at: number,
  { line, ...where }: { line: number; at: number; isSpaced: boolean },
): Token {
  for (const [kind, pattern] of KINDS) {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match !== null) return { kind, text: match[0], ...where };
  }
  const [character = ""] = source.slice(at);
  if (character === '"' || character === "`" || character === "'")
    throw new TemplateProblem(
      line,
      character === "'" ? "unterminated character constant" : "unterminated quoted string",
    );
  throw new TemplateProblem(line, `unexpected ${JSON.stringify(character)} in operand`);
}
