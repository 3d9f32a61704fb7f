import { Fault, type FaultKind, sentenceOf } from "#errors";
import { wholeResponse } from "./whole.ts";

/** The only table from a kind of fault to an HTTP status. */
const STATUS: Record<FaultKind, number> = {
  invalid: 400,
  unauthorized: 401,
  denied: 403,
  not_found: 404,
  conflict: 409,
  unsupported: 501,
  unavailable: 503,
  cancelled: 500,
  internal: 500,
};

export interface Problem {
  readonly status: number;
  readonly message: string;
}

/** What whoever asked is told about something thrown. */
export function problemOf(thrown: unknown): Problem {
  const kind = thrown instanceof Fault ? thrown.kind : "internal";
  return { status: STATUS[kind], message: sentenceOf(thrown) };
}

/** The body Docker's clients look for, `{"message": …}`. */
export function problemResponse(
  { status, message }: Problem,
  headers: readonly (readonly [string, string])[] = [],
): Response {
  return wholeResponse(`${JSON.stringify({ message })}\n`, {
    status,
    headers: Object.fromEntries([["Content-Type", "application/json"], ...headers]),
  });
}
