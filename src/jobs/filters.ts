import { z } from "zod";
import { didYouMean, Fault } from "#errors";
import type { Filters } from "./types.ts";

export const FiltersInput: z.ZodType<Filters> = z.record(z.string(), z.array(z.string()));

/** Throws `invalid` in Docker's words for a key that is not among the known ones. */
export function checkFilters(filters: Filters, known: readonly string[]): void {
  const unknown = Object.keys(filters).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new Fault("invalid", `invalid filter '${unknown.slice(0, 100)}'${didYouMean(unknown, known)}`);
}

/** Whether one of the values fits; a key without values fits all. */
export function matches(filters: Filters, key: string, fits: (value: string) => boolean): boolean {
  const values = filters[key] ?? [];
  return values.length === 0 || values.some(fits);
}

/** `key` or `key=value`; all of them must hold. */
export function matchesLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  const isThere = (wanted: string) => hasLabel(labels, wanted);
  return (filters.label ?? []).every(isThere) && !(filters["label!"] ?? []).some(isThere);
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  const key = equals < 0 ? wanted : wanted.slice(0, equals);
  if (!Object.hasOwn(labels, key)) return false;
  return equals < 0 || labels[key] === wanted.slice(equals + 1);
}

/** As Docker matches names: the text itself, or a regular expression found in it. */
export function fits(pattern: string, text: string): boolean {
  if (pattern === text) return true;
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return false;
  }
}

/** `true`, `1`, `false`, `0`; undefined without the key. Throws `invalid`. */
export function flag(filters: Filters, key: string): boolean | undefined {
  const values = filters[key];
  if (values === undefined || values.length === 0) return undefined;
  const words = new Set(values.map((value) => value.toLowerCase()));
  const isTrue = words.has("true") || words.has("1");
  const isFalse = words.has("false") || words.has("0");
  if (isTrue !== isFalse) return isTrue;
  throw new Fault("invalid", `invalid filter '${key}=[${values.join(" ").slice(0, 100)}]'`);
}

/**
 * Milliseconds since the epoch of `1700000000`, `1700000000.5`, an RFC 3339 date, or a duration before now (`24h`).
 * Throws `invalid`.
 */
export function parseMoment(text: string, now: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
    return now - parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (units[unit] ?? 0), 0);
  }
  const moment = Date.parse(text);
  if (!/^\d{4}-/.test(text) || Number.isNaN(moment))
    throw new Fault("invalid", `invalid time "${text.slice(0, 60)}": expected a date, a duration or seconds`);
  return moment;
}

/** The latest moment of making that the filter `until` lets go, in milliseconds since the epoch. Throws `invalid`. */
export function latestOf(filters: Filters): number {
  const [until, ...more] = filters.until ?? [];
  if (more.length > 0) throw new Fault("invalid", "more than one until filter specified");
  return until === undefined ? Number.POSITIVE_INFINITY : parseMoment(until, Date.now());
}
