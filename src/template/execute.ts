import type { TemplateFunction } from "./functions.ts";
import type { Block, Node, Operand, Parsed, Pipe, Place, Step } from "./parse.ts";
import { ExecutionProblem } from "./problem.ts";
import { isRecord, isTruthy, type Method, textOf } from "./value.ts";

export type Missing = "error" | "novalue";

export interface Rules {
  readonly functions: Readonly<Record<string, TemplateFunction>>;
  readonly missing: Missing;
  /** Fields that may be missing, and what they are then. */
  readonly optional: ReadonlyMap<string, unknown>;
}

/** Templates may call each other; a loop among them ends here. */
const DEPTH = 1000;

class LoopExit extends Error {
  readonly isBreak: boolean;

  constructor(isBreak: boolean) {
    super("outside of a loop");
    this.isBreak = isBreak;
  }
}

/** Carries a parsed template out. @throws ExecutionProblem */
export function execute(parsed: Parsed, value: unknown, rules: Rules): string {
  const run = new Execution(parsed, rules);
  run.list(parsed.nodes, new Scope(value, value));
  return run.output;
}

/** What `.` means, and the variables that are in sight. */
class Scope {
  readonly dot: unknown;
  readonly #variables = new Map<string, unknown>();
  readonly #outer: Scope | undefined;

  constructor(dot: unknown, root?: unknown, outer?: Scope) {
    this.dot = dot;
    this.#outer = outer;
    if (outer === undefined) this.#variables.set("$", root);
  }

  inner(dot: unknown): Scope {
    return new Scope(dot, undefined, this);
  }

  declare(name: string, value: unknown): void {
    this.#variables.set(name, value);
  }

  assign(name: string, value: unknown): boolean {
    if (this.#variables.has(name)) this.#variables.set(name, value);
    else return this.#outer?.assign(name, value) ?? false;
    return true;
  }

  lookUp(name: string): { value: unknown } | undefined {
    if (this.#variables.has(name)) return { value: this.#variables.get(name) };
    return this.#outer?.lookUp(name);
  }
}

class Execution {
  output = "";
  readonly #parsed: Parsed;
  readonly #rules: Rules;
  #depth = 0;

  constructor(parsed: Parsed, rules: Rules) {
    this.#parsed = parsed;
    this.#rules = rules;
  }

  list(nodes: readonly Node[], scope: Scope): void {
    for (const node of nodes) this.#node(node, scope);
  }

  #node(node: Node, scope: Scope): void {
    switch (node.kind) {
      case "text":
        this.output += node.text;
        return;
      case "print": {
        const value = this.#pipe(node.pipe, scope);
        if (node.pipe.variables.length === 0) this.output += textOf(value);
        return;
      }
      case "if":
      case "with": {
        const inside = scope.inner(scope.dot);
        const value = this.#pipe(node.pipe, inside);
        const dot = node.kind === "with" && isTruthy(value) ? value : scope.dot;
        this.list(isTruthy(value) ? node.body : node.otherwise, inside.inner(dot));
        return;
      }
      case "range":
        this.#range(node, scope);
        return;
      case "template":
        this.#template(node, scope);
        return;
      default:
        throw new LoopExit(node.kind === "break");
    }
  }

  #range(node: Block, scope: Scope): void {
    const value = this.#pipe({ ...node.pipe, variables: [] }, scope);
    const entries = entriesOf(value);
    if (entries === undefined)
      throw this.#problem(node.pipe.steps[0]?.[0], `range can't iterate over ${textOf(value)}`);
    if (entries.length === 0) this.list(node.otherwise, scope.inner(scope.dot));
    const [first, second] = node.pipe.variables;
    for (const [key, element] of entries) {
      const inside = scope.inner(element);
      if (first !== undefined) inside.declare(first, second === undefined ? element : key);
      if (second !== undefined) inside.declare(second, element);
      try {
        this.list(node.body, inside);
      } catch (thrown) {
        if (!(thrown instanceof LoopExit)) throw thrown;
        if (thrown.isBreak) return;
      }
    }
  }

  #template({ name, pipe, place }: Extract<Node, { kind: "template" }>, scope: Scope): void {
    const nodes = this.#parsed.defined.get(name);
    const shown = {
      shown: `{{template ${JSON.stringify(name)}}}`,
      reason: `template ${JSON.stringify(name)} not defined`,
    };
    if (nodes === undefined) throw new ExecutionProblem(place, shown);
    if (this.#depth >= DEPTH)
      throw new ExecutionProblem(place, { ...shown, reason: "exceeded maximum template depth" });
    const value = pipe === undefined ? undefined : this.#pipe(pipe, scope);
    this.#depth++;
    this.list(nodes, new Scope(value, value));
    this.#depth--;
  }

  #pipe({ steps, variables, isAssignment }: Pipe, scope: Scope): unknown {
    let value: unknown;
    steps.forEach((step, at) => {
      value = this.#step(step, scope, at === 0 ? [] : [value]);
    });
    for (const name of variables) {
      if (!isAssignment) scope.declare(name, value);
      else if (!scope.assign(name, value)) throw this.#problem(steps[0]?.[0], `undefined variable: ${name}`);
    }
    return value;
  }

  /** The first operand is a function, a method, or a plain value; what came down the pipe is its last argument. */
  #step([first, ...rest]: Step, scope: Scope, piped: readonly unknown[]): unknown {
    if (first.kind === "call") return this.#call(first, { rest, scope, piped });
    const values = () => [...rest.map((operand) => this.#operand(operand, scope)), ...piped];
    const takesValues = rest.length > 0 || piped.length > 0;
    if (takesValues && "path" in first && first.path.length > 0) return this.#operand(first, scope, values());
    if (takesValues) throw this.#problem(first, `can't give argument to non-function ${first.shown}`);
    return this.#operand(first, scope);
  }

  #call(
    { name, place, shown }: Extract<Operand, { kind: "call" }>,
    { rest, scope, piped }: { rest: readonly Operand[]; scope: Scope; piped: readonly unknown[] },
  ): unknown {
    if (name === "and" || name === "or") return this.#shortCircuit(name, { rest, scope, piped });
    const call = this.#rules.functions[name];
    if (call === undefined)
      throw new ExecutionProblem(place, {
        shown,
        reason: `${JSON.stringify(name)} is not a defined function`,
      });
    const values = [...rest.map((operand) => this.#operand(operand, scope)), ...piped];
    try {
      return call(...values);
    } catch (thrown) {
      if (thrown instanceof ExecutionProblem) throw thrown;
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      throw new ExecutionProblem(place, { shown, reason: `error calling ${name}: ${reason}` });
    }
  }

  #shortCircuit(
    name: "and" | "or",
    { rest, scope, piped }: { rest: readonly Operand[]; scope: Scope; piped: readonly unknown[] },
  ): unknown {
    let value: unknown;
    for (const operand of rest) {
      value = this.#operand(operand, scope);
      if (isTruthy(value) === (name === "or")) return value;
    }
    return piped.length > 0 ? piped[0] : value;
  }

  #operand(operand: Operand, scope: Scope, values: readonly unknown[] = []): unknown {
    switch (operand.kind) {
      case "dot":
        return scope.dot;
      case "nil":
        return null;
      case "literal":
        return operand.value;
      case "call":
        return this.#call(operand, { rest: [], scope, piped: [] });
      case "field":
        return this.#fields(scope.dot, operand, values);
      case "nested":
        return this.#fields(this.#pipe(operand.pipe, scope.inner(scope.dot)), operand, values);
      case "variable": {
        const found = scope.lookUp(operand.name);
        if (found === undefined) throw this.#problem(operand, `undefined variable: ${operand.name}`);
        return this.#fields(found.value, operand, values);
      }
    }
  }

  #fields(
    from: unknown,
    operand: Operand & { path: readonly string[] },
    values: readonly unknown[],
  ): unknown {
    return operand.path.reduce(
      (value, name, at) =>
        this.#field(value, name, { operand, at, values: at === operand.path.length - 1 ? values : [] }),
      from,
    );
  }

  #field(
    value: unknown,
    name: string,
    {
      operand,
      at,
      values,
    }: { operand: Operand & { path: readonly string[] }; at: number; values: readonly unknown[] },
  ): unknown {
    const place = { ...operand.place, at: operand.place.at + offsetOf(operand, at) };
    const problem = (reason: string) => this.#problem({ ...operand, place }, reason);
    if (value === undefined || value === null) {
      if (this.#rules.missing === "novalue") return undefined;
      throw problem(`nil data; no entry for key ${JSON.stringify(name)}`);
    }
    if (!isRecord(value)) throw problem(`can't evaluate field ${name} in type ${goType(value)}`);
    const key = keyFor(value, name);
    if (key === undefined) {
      if (this.#rules.optional.has(name)) return this.#rules.optional.get(name);
      if (this.#rules.missing === "novalue") return undefined;
      throw problem(`map has no entry for key ${JSON.stringify(name)}`);
    }
    const found = value[key];
    if (typeof found === "function") return (found as Method)(...values);
    if (values.length > 0) throw problem(`${name} is not a method but has arguments`);
    return found;
  }

  #problem(operand: Operand | undefined, reason: string): ExecutionProblem {
    const place: Place = operand?.place ?? { line: 1, at: 0 };
    return new ExecutionProblem(place, { shown: operand?.shown ?? "", reason });
  }
}

/** Where a field of a chain begins, counted from the beginning of the chain. */
function offsetOf({ kind, path }: Operand & { path: readonly string[] }, at: number): number {
  const before = path.slice(0, at).reduce((sum, name) => sum + name.length + 1, 0);
  return kind === "field" ? before : 0;
}

/** Go's names of fields differ from the names in JSON by case alone (`ID`, `Id`): a capitalised name finds both. */
function keyFor(value: Readonly<Record<string, unknown>>, name: string): string | undefined {
  if (Object.hasOwn(value, name)) return name;
  if (!/^\p{Lu}/u.test(name)) return undefined;
  const wanted = name.toLowerCase();
  return Object.keys(value).find((key) => key.toLowerCase() === wanted);
}

function entriesOf(value: unknown): (readonly [unknown, unknown])[] | undefined {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map((element, at) => [at, element] as const);
  if (typeof value === "number" && Number.isInteger(value) && value >= 0)
    return Array.from({ length: value }, (_, at) => [at, at] as const);
  if (isRecord(value))
    return Object.keys(value)
      .sort()
      .map((key) => [key, value[key]] as const);
  return undefined;
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return "[]interface {}";
  return typeof value === "number" ? "float64" : typeof value === "boolean" ? "bool" : "string";
}
