import type { SeccompProfile } from "../spec.ts";
import { actionValue, isLenient, NO_SUCH_CALL } from "./actions.ts";
import type { Condition } from "./conditions.ts";
import { type Convention, syscallNumbers } from "./numbers.ts";

/** A rule that applies when all its conditions hold. */
export interface ConditionalRule {
  readonly action: number;
  readonly conditions: readonly Condition[];
}

/** The numbers from `from` to the next span's: the first of the rules that applies decides, else `action`. */
export interface Span {
  readonly from: number;
  readonly rules: readonly ConditionalRule[];
  readonly action: number;
}

/** 32-bit arm keeps calls of its own from here on, far above all others. */
const PRIVATE_CALLS = 0xf0000;

/** Arguments that the kernel takes as int: what stands in the high half of the register counts for nothing. */
const INT_ARGUMENTS: Readonly<Record<string, readonly number[]>> = { socket: [0, 1, 2] };

/**
 * A profile as one convention's numbers see it, from the lowest to all above the highest. Numbers above every
 * one that the profile names were unknown to its author: they get ENOSYS, to which programs know an answer, and
 * not the default action, unless that lets calls happen.
 */
export function spansOf(profile: SeccompProfile, convention: Convention): readonly Span[] {
  const fallback = actionValue(profile.defaultAction, profile.defaultErrno);
  const listed = listedCalls(profile, { convention, fallback });
  const common = listed.filter(({ from }) => from < PRIVATE_CALLS);
  const isFallbackForNew = common.length === 0 || isLenient(profile.defaultAction);
  const spans = lay(common, { from: 0, fallback, beyond: isFallbackForNew ? fallback : NO_SUCH_CALL });
  if (common.length < listed.length)
    spans.push(...lay(listed.slice(common.length), { from: PRIVATE_CALLS, fallback, beyond: fallback }));
  return merge(spans).map((span) => ({ ...span, from: span.from + convention.numberBit }));
}

/** Fills the gaps between calls with `fallback`, and what follows the last one with `beyond`. */
function lay(
  calls: readonly Span[],
  options: { readonly from: number; readonly fallback: number; readonly beyond: number },
): Span[] {
  const spans: Span[] = [];
  let next = options.from;
  for (const call of calls) {
    if (call.from > next) spans.push({ from: next, rules: [], action: options.fallback });
    spans.push(call);
    next = call.from + 1;
  }
  spans.push({ from: next, rules: [], action: options.beyond });
  return spans;
}

function listedCalls(
  profile: SeccompProfile,
  { convention, fallback }: { readonly convention: Convention; readonly fallback: number },
): readonly Span[] {
  const numbers = syscallNumbers(convention);
  const found = new Map<number, Span & { readonly isSettled: boolean }>();
  for (const rule of profile.syscalls) {
    const action = actionValue(rule.action, rule.errno ?? profile.defaultErrno);
    for (const name of rule.names) {
      const number = numbers.get(name);
      if (number === undefined) continue;
      const held = found.get(number) ?? { from: number, rules: [], action: fallback, isSettled: false };
      const conditions = rule.args.map((arg) => ({
        ...arg,
        isInt: INT_ARGUMENTS[name]?.includes(arg.index) ?? false,
      }));
      // A rule without conditions settles the call, wherever in the list it stands; the first one does.
      if (held.isSettled) continue;
      if (conditions.length === 0) found.set(number, { from: number, rules: [], action, isSettled: true });
      else found.set(number, { ...held, rules: [...held.rules, { action, conditions }] });
    }
  }
  return [...found.values()].sort((one, other) => one.from - other.from);
}

/** Neighbours that do the same become one. */
function merge(spans: readonly Span[]): readonly Span[] {
  return spans.filter((span, index) => {
    const before = spans[index - 1];
    return before?.action !== span.action || before.rules.length > 0 || span.rules.length > 0;
  });
}
