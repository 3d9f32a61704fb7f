import { Fault } from "#errors";
import { type Edge, type Pattern, parsePattern } from "./parse.ts";

type Step =
  | { readonly op: "take"; readonly takes: (character: string) => boolean }
  | { readonly op: "edge"; readonly holds: Edge }
  /** On with the next step, and at the other one as well. */
  | { readonly op: "fork"; other: number }
  | { readonly op: "go"; to: number }
  | { readonly op: "found" };

const MOST_STEPS = 10_000;

/**
 * A regular expression in Go's syntax that is searched for in time proportional to the text, as Go does: the names that
 * it is held against are strangers' images', and JavaScript's own would take for ever over some.
 */
export class LinearPattern {
  readonly #steps: Step[] = [];

  /** Throws `invalid` for what is no pattern. */
  constructor(text: string) {
    this.#compile(parsePattern(text));
    this.#add({ op: "found" });
  }

  /** Whether it is somewhere in the text. */
  isIn(text: string): boolean {
    const characters = [...text];
    let at = new Set<number>();
    for (let index = 0; index <= characters.length; index++) {
      const [before, after] = [characters[index - 1], characters[index]];
      at.add(0);
      if (this.#spread(at, before, after)) return true;
      if (after === undefined) break;
      const next = new Set<number>();
      for (const number of at) {
        const step = this.#steps[number];
        if (step?.op === "take" && step.takes(after)) next.add(number + 1);
      }
      at = next;
    }
    return false;
  }

  /** Adds what is reached without another character. A set is walked on while it grows. */
  #spread(at: Set<number>, before: string | undefined, after: string | undefined): boolean {
    for (const number of at) {
      const step = this.#steps[number];
      if (step?.op === "found") return true;
      if (step?.op === "go") at.add(step.to);
      if (step?.op === "fork") at.add(number + 1).add(step.other);
      if (step?.op === "edge" && step.holds(before, after)) at.add(number + 1);
    }
    return false;
  }

  #compile(pattern: Pattern): void {
    if (pattern.kind === "one") this.#add({ op: "take", takes: pattern.takes });
    else if (pattern.kind === "edge") this.#add({ op: "edge", holds: pattern.holds });
    else if (pattern.kind === "all") for (const part of pattern.parts) this.#compile(part);
    else if (pattern.kind === "any") this.#compileAny(pattern.parts);
    else this.#compileRepeat(pattern);
  }

  #compileAny(parts: readonly Pattern[]): void {
    const ends: { to: number }[] = [];
    for (const part of parts.slice(0, -1)) {
      const fork = this.#add({ op: "fork", other: 0 });
      this.#compile(part);
      ends.push(this.#add({ op: "go", to: 0 }));
      fork.other = this.#steps.length;
    }
    for (const part of parts.slice(-1)) this.#compile(part);
    for (const end of ends) end.to = this.#steps.length;
  }

  #compileRepeat({ part, least, most }: Extract<Pattern, { kind: "repeat" }>): void {
    for (let count = 0; count < least; count++) this.#compile(part);
    if (most === Number.POSITIVE_INFINITY) {
      const start = this.#steps.length;
      const fork = this.#add({ op: "fork", other: 0 });
      this.#compile(part);
      this.#add({ op: "go", to: start });
      fork.other = this.#steps.length;
      return;
    }
    const forks: { other: number }[] = [];
    for (let count = least; count < most; count++) {
      forks.push(this.#add({ op: "fork", other: 0 }));
      this.#compile(part);
    }
    for (const fork of forks) fork.other = this.#steps.length;
  }

  #add<Added extends Step>(step: Added): Added {
    if (this.#steps.length >= MOST_STEPS)
      throw new Fault("invalid", "error parsing regexp: its repetitions make it too large");
    this.#steps.push(step);
    return step;
  }
}
