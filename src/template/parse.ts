import { lex, type Piece, type Token } from "./lex.ts";
import { stringOf } from "./literal.ts";
import { TemplateProblem } from "./problem.ts";

export interface Place {
  readonly line: number;
  readonly at: number;
}

export type Operand =
  | { readonly kind: "dot" | "nil"; readonly place: Place; readonly shown: string }
  | {
      readonly kind: "field";
      readonly path: readonly string[];
      readonly place: Place;
      readonly shown: string;
    }
  | {
      readonly kind: "variable";
      readonly name: string;
      readonly path: readonly string[];
      readonly place: Place;
      readonly shown: string;
    }
  | { readonly kind: "call"; readonly name: string; readonly place: Place; readonly shown: string }
  | {
      readonly kind: "literal";
      readonly value: string | number | boolean;
      readonly place: Place;
      readonly shown: string;
    }
  | {
      readonly kind: "nested";
      readonly pipe: Pipe;
      readonly path: readonly string[];
      readonly place: Place;
      readonly shown: string;
    };

export type Step = readonly [Operand, ...Operand[]];

export interface Pipe {
  readonly variables: readonly string[];
  readonly isAssignment: boolean;
  readonly steps: readonly Step[];
}

export interface Block {
  readonly kind: "if" | "with" | "range";
  readonly pipe: Pipe;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[];
}

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipe: Pipe }
  | Block
  | {
      readonly kind: "template";
      readonly name: string;
      readonly pipe: Pipe | undefined;
      readonly place: Place;
    }
  | { readonly kind: "break" | "continue" };

export interface Parsed {
  readonly nodes: readonly Node[];
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}

const BLOCKS = ["if", "with", "range"] as const;

/** @throws TemplateProblem */
export function parse(source: string): Parsed {
  return new Parser(lex(source)).parse();
}

class Parser {
  readonly #pieces: readonly Piece[];
  readonly #defined = new Map<string, readonly Node[]>();
  #at = 0;
  #line = 1;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  parse(): Parsed {
    const { nodes, ender } = this.#list();
    if (ender !== undefined) throw new TemplateProblem(this.#line, `unexpected {{${ender.word}}}`);
    return { nodes, defined: this.#defined };
  }

  /** Nodes up to `end` or `else` (which is returned), or up to the end of the source. */
  #list(): { nodes: Node[]; ender?: { word: "end" | "else"; rest: readonly Token[] } } {
    const nodes: Node[] = [];
    for (let piece = this.#pieces[this.#at++]; piece !== undefined; piece = this.#pieces[this.#at++]) {
      if (piece.kind === "text") {
        nodes.push(piece);
        continue;
      }
      this.#line = piece.line;
      const [first, ...rest] = piece.tokens;
      const word = first?.kind === "identifier" ? first.text : "";
      if (word === "end" || word === "else") return { nodes, ender: { word, rest } };
      const node = this.#action(word, piece.tokens);
      if (node !== undefined) nodes.push(node);
    }
    return { nodes };
  }

  #action(word: string, tokens: readonly Token[]): Node | undefined {
    const block = BLOCKS.find((name) => name === word);
    if (block !== undefined) return this.#block(block, tokens.slice(1));
    if (word === "break" || word === "continue") return { kind: word };
    if (word === "define" || word === "block" || word === "template") return this.#named(word, tokens);
    return { kind: "print", pipe: this.#pipe(tokens, "command") };
  }

  #block(kind: (typeof BLOCKS)[number], tokens: readonly Token[]): Node {
    const pipe = this.#pipe(tokens, kind);
    const { nodes: body, ender } = this.#list();
    if (ender === undefined) throw new TemplateProblem(this.#line, "unexpected EOF");
    if (ender.word === "end") return { kind, pipe, body, otherwise: [] };
    const [next, ...rest] = ender.rest;
    if (next !== undefined && (next.text === "if" || next.text === "with"))
      return { kind, pipe, body, otherwise: [this.#block(next.text, rest)] };
    const { nodes: otherwise, ender: last } = this.#list();
    if (last?.word !== "end")
      throw new TemplateProblem(this.#line, last ? "expected end; found {{else}}" : "unexpected EOF");
    return { kind, pipe, body, otherwise };
  }

  #named(word: "define" | "block" | "template", tokens: readonly Token[]): Node | undefined {
    const [first, name, ...rest] = tokens;
    if (name?.kind !== "string")
      throw new TemplateProblem(this.#line, `unexpected ${name?.text ?? "EOF"} in ${word} clause`);
    const title = stringOf(name.text);
    const place = { line: this.#line, at: first?.at ?? 0 };
    if (word === "template")
      return {
        kind: "template",
        name: title,
        pipe: rest.length > 0 ? this.#pipe(rest, word) : undefined,
        place,
      };
    const { nodes, ender } = this.#list();
    if (ender?.word !== "end") throw new TemplateProblem(this.#line, "unexpected EOF");
    this.#defined.set(title, nodes);
    return word === "define"
      ? undefined
      : { kind: "template", name: title, pipe: this.#pipe(rest, word), place };
  }

  #pipe(tokens: readonly Token[], context: string): Pipe {
    const { variables, isAssignment, rest } = declaration(tokens);
    const reader = new PipeReader(rest, this.#line);
    const steps = reader.steps();
    if (reader.next !== undefined)
      throw new TemplateProblem(this.#line, `unexpected ${JSON.stringify(reader.next.text)} in ${context}`);
    if (steps.length === 0) throw new TemplateProblem(this.#line, `missing value for ${context}`);
    return { variables, isAssignment, steps };
  }
}

function declaration(tokens: readonly Token[]): {
  variables: string[];
  isAssignment: boolean;
  rest: readonly Token[];
} {
  const [first, second, third, fourth] = tokens;
  const isSign = (token: Token | undefined) => token?.kind === "declare" || token?.kind === "assign";
  if (first?.kind === "variable" && isSign(second))
    return { variables: [first.text], isAssignment: second?.kind === "assign", rest: tokens.slice(2) };
  if (first?.kind === "variable" && second?.kind === "comma" && third?.kind === "variable" && isSign(fourth))
    return {
      variables: [first.text, third.text],
      isAssignment: fourth?.kind === "assign",
      rest: tokens.slice(4),
    };
  return { variables: [], isAssignment: false, rest: tokens };
}

class PipeReader {
  readonly #tokens: readonly Token[];
  readonly #line: number;
  #at = 0;

  constructor(tokens: readonly Token[], line: number) {
    this.#tokens = tokens;
    this.#line = line;
  }

  get next(): Token | undefined {
    return this.#tokens[this.#at];
  }

  steps(): Step[] {
    const steps: Step[] = [];
    for (;;) {
      const [first, ...more] = this.#operands();
      if (first !== undefined) steps.push([first, ...more]);
      if (this.next?.kind !== "pipe") return steps;
      if (first === undefined) throw new TemplateProblem(this.#line, "missing value for command");
      this.#at++;
      if (this.next === undefined) throw new TemplateProblem(this.#line, "missing value for command");
    }
  }

  #operands(): Operand[] {
    const operands: Operand[] = [];
    while (this.next !== undefined && this.next.kind !== "pipe" && this.next.kind !== "close")
      operands.push(this.#operand());
    return operands;
  }

  #operand(): Operand {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new TemplateProblem(this.#line, "unexpected EOF");
    const place = { line: this.#line, at: token.at };
    const { text } = token;
    switch (token.kind) {
      case "field": {
        const path = [text.slice(1), ...this.#fields()];
        return { kind: "field", path, place, shown: `.${path.join(".")}` };
      }
      case "variable": {
        const path = this.#fields();
        return { kind: "variable", name: text, path, place, shown: [text, ...path].join(".") };
      }
      case "dot":
        return { kind: "dot", place, shown: "." };
      case "open":
        return this.#nested(place);
      case "string":
        return { kind: "literal", value: stringOf(text), place, shown: text };
      case "char":
        return { kind: "literal", value: stringOf(text).codePointAt(0) ?? 0, place, shown: text };
      case "number":
        return { kind: "literal", value: numberOf(text), place, shown: text };
      case "identifier":
        if (text === "nil") return { kind: "nil", place, shown: text };
        if (text === "true" || text === "false")
          return { kind: "literal", value: text === "true", place, shown: text };
        return { kind: "call", name: text, place, shown: text };
      default:
        throw new TemplateProblem(this.#line, `unexpected ${JSON.stringify(text)} in operand`);
    }
  }

  #nested(place: Place): Operand {
    const steps = this.steps();
    if (this.next?.kind !== "close") throw new TemplateProblem(this.#line, "unclosed left paren");
    this.#at++;
    if (steps.length === 0) throw new TemplateProblem(this.#line, "missing value for parenthesized pipeline");
    return {
      kind: "nested",
      pipe: { variables: [], isAssignment: false, steps },
      path: this.#fields(),
      place,
      shown: "(...)",
    };
  }

  #fields(): string[] {
    const path: string[] = [];
    for (let token = this.next; token?.kind === "field" && !token.isSpaced; token = this.next) {
      path.push(token.text.slice(1));
      this.#at++;
    }
    return path;
  }
}

function numberOf(text: string): number {
  const plain = text.replaceAll("_", "");
  return plain.startsWith("-") ? -Number(plain.slice(1)) : Number(plain);
}
