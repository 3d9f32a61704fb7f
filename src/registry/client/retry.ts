import { Fault } from "#errors";
import type { Clock } from "./clock.ts";
import type { Limits } from "./limits.ts";

/** Statuses that pass by themselves. Source: RFC 9110 section 15.6; RFC 6585 section 4. */
const BUSY: readonly number[] = [429, 500, 502, 503, 504];

export function isBusy(status: number): boolean {
  return BUSY.includes(status);
}

/** Milliseconds that `Retry-After` asks for, in seconds or as a date; undefined when it says nothing. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  const date = /[a-z]{3}/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Doubles from one attempt to the next, with some chance in it, so that many clients do not come back at once. */
export function backOff(attempt: number, { firstDelay, longestDelay }: Limits): number {
  return Math.min(firstDelay * 2 ** attempt * (1 + Math.random() / 4), longestDelay);
}

/** Why it is not tried again: the registry wants more peace than anybody waits for. */
const LEFT_ALONE = new Error("the registry asks to be left alone");

/** Whether it makes no sense to try again, whatever was thrown. */
export function isLastWord(thrown: Fault): boolean {
  return thrown.cause === LEFT_ALONE;
}

/** Waits as a busy registry asked. Throws `unavailable` when that is longer than this client waits. */
export async function waitBusy(
  header: string | null,
  {
    attempt,
    clock,
    limits,
    signal,
    host,
  }: {
    readonly attempt: number;
    readonly clock: Clock;
    readonly limits: Limits;
    readonly signal: AbortSignal;
    readonly host: string;
  },
): Promise<void> {
  const asked = parseRetryAfter(header, clock.now());
  if (asked !== undefined && asked > limits.longestDelay)
    throw new Fault(
      "unavailable",
      `toomanyrequests: ${host} has reached its limit and asks to be left alone for ${Math.ceil(asked / 1000)} seconds; try again then, or log in for a higher limit`,
      { cause: LEFT_ALONE },
    );
  await clock.sleep(asked ?? backOff(attempt, limits), signal);
}
