import { z } from "zod";

/**
 * The leniencies of Docker's own decoder, which clients have come to depend on: null stands for every empty
 * value, a missing field for its zero, a field nobody knows for nothing. Types are not bent: a number where
 * a string belongs is refused.
 */

/** Go's zero time, how Docker prints "never". */
export const ZERO_TIME = "0001-01-01T00:00:00Z";

/** A whole number as far as int64 goes; what JavaScript cannot hold exactly is near a limit that means "none". */
const INT64 = 2 ** 63;
export const Integer = z.number().refine(isInt64, "expected a whole number of at most 64 bits");

function isInt64(value: number): boolean {
  return Number.isInteger(value) && value >= -INT64 && value <= INT64;
}

export const Text = z
  .string()
  .nullish()
  .transform((text) => text ?? "");

export const Flag = z
  .boolean()
  .nullish()
  .transform((flag) => flag ?? false);

export const Count = Integer.nullish().transform((count) => count ?? 0);

/** A list of words; one word alone is a list of one, as old clients send Cmd and Entrypoint. */
export const Words = z
  .union([z.string().transform((word) => [word]), z.array(z.string())])
  .nullish()
  .transform((words) => words ?? undefined);

export function list<Item extends z.ZodType>(item: Item) {
  return z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);
}

export function dictionary<Value extends z.ZodType>(value: Value) {
  return z
    .record(z.string(), value)
    .nullish()
    .transform((entries) => entries ?? ({} as Record<string, z.output<Value>>));
}

/** A set in Go's clothes: `{"80/tcp": {}}`. The keys are what counts. */
export const KeySet = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((entries) => Object.keys(entries ?? {}));
