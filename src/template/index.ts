/**
 * Owns templates of Go's text/template language with docker's functions: what is typed after `--format` and in a log's
 * tag. Refuses to know what they are filled with: values are plain. Called by `cli` and `jobs`.
 */
import { execute, type Rules } from "./execute.ts";
import { FUNCTIONS } from "./functions.ts";
import { type Node, type Operand, type Parsed, type Pipe, parse } from "./parse.ts";
import { TemplateProblem } from "./problem.ts";

export { HEADER_FUNCTIONS } from "./functions.ts";
export { ExecutionProblem, TemplateProblem } from "./problem.ts";
export { jsonText, type Method } from "./value.ts";

/** A template of Go's text/template language with docker's functions, ready to be carried out. */
export class Template {
  readonly #parsed: Parsed;

  /** @throws TemplateProblem */
  constructor(source: string) {
    this.#parsed = parse(source);
    checkNames(this.#parsed);
  }

  /** @throws ExecutionProblem */
  render(value: unknown, options: Partial<Rules> = {}): string {
    return execute(this.#parsed, value, {
      functions: FUNCTIONS,
      missing: "error",
      optional: NONE,
      ...options,
    });
  }
}

const NONE: ReadonlyMap<string, unknown> = new Map();

/** Go refuses a function that does not exist before anything is printed. */
function checkNames({ nodes, defined }: Parsed): void {
  const operand = (it: Operand): void => {
    if (it.kind === "nested") pipe(it.pipe);
    const isKnown =
      it.kind !== "call" || ["and", "or", "call"].includes(it.name) || Object.hasOwn(FUNCTIONS, it.name);
    if (!isKnown)
      throw new TemplateProblem(it.place.line, `function ${JSON.stringify(it.shown)} not defined`);
  };
  const pipe = ({ steps }: Pipe): void => {
    for (const step of steps) for (const it of step) operand(it);
  };
  const list = (all: readonly Node[]): void => {
    for (const node of all) {
      if ("pipe" in node && node.pipe !== undefined) pipe(node.pipe);
      if ("body" in node) list([...node.body, ...node.otherwise]);
    }
  };
  list(nodes);
  for (const body of defined.values()) list(body);
}
