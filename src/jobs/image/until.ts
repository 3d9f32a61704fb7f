import { Fault } from "#errors";

/** Nanoseconds would be more than anyone means: results are milliseconds. Source: Go, time.ParseDuration. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION = /^(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+$/;
const STAMP = /^\d{4}-\d{2}-\d{2}(?:T\d{2}(?::\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * A moment as Docker's `until` takes it, in milliseconds since the epoch: a date, a UNIX time with or
 * without a fraction, or a duration before now (`10m`, `1h30m`). Throws `invalid` for anything else.
 */
export function parseUntil(text: string, now: number): number {
  if (/^[0-9]{1,12}(?:\.[0-9]{1,9})?$/.test(text)) return Number(text) * 1000;
  if (DURATION.test(text)) {
    const parts = [...text.matchAll(/([0-9.]+)([a-zµ]+)/g)];
    return now - parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (UNITS[unit] ?? 0), 0);
  }
  const moment = STAMP.test(text) ? Date.parse(whole(text)) : Number.NaN;
  if (!Number.isNaN(moment)) return moment;
  throw new Fault(
    "invalid",
    `invalid filter 'until=${text}': expected a date, a UNIX time or a duration such as 24h`,
  );
}

/** What was left out of a date is the first of its kind. */
function whole(text: string): string {
  const [date = "", rest = ""] = text.split("T");
  const zone = /(?:Z|[+-]\d{2}:\d{2})$/.exec(rest)?.[0] ?? "Z";
  const time = rest.slice(0, rest.length - (rest.endsWith(zone) ? zone.length : 0));
  const [hours = "00", minutes = "00", seconds = "00"] = time === "" ? [] : time.split(":");
  return `${date}T${hours}:${minutes}:${seconds}${zone}`;
}
