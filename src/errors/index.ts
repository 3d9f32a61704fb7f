/**
 * Owns the one error that may cross a door between rooms, its few kinds, and what is said of a mistyped word.
 * Refuses to know statuses, exit codes or wording of any caller: `server` and `cli` have the only tables.
 * Called by every room.
 */

export { didYouMean, nearest } from "./nearest.ts";

export type FaultKind =
  | "invalid"
  | "denied"
  | "unauthorized"
  | "not_found"
  | "conflict"
  | "unsupported"
  | "unavailable"
  | "cancelled"
  | "internal";

/** The one error that may cross a door: `kind` is for programs, `message` is for people. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly kind: FaultKind;

  constructor(kind: FaultKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** The sentence a person should read about whatever was thrown. */
export function sentenceOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
