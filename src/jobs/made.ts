import type { Job } from "#engine";

/** The jobs of one noun: the type allows none to be missing. */
export type Made<Verbs extends Record<keyof Verbs, { input: unknown; output: unknown }>> = {
  readonly [Name in keyof Verbs & string]: Job<Name, Verbs[Name]["input"], Verbs[Name]["output"]>;
};
