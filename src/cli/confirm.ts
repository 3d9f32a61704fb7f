import type { Session } from "./session.ts";

/** Asks before something that cannot be undone. Whatever is not a y, and no answer at all, is no. */
export function confirm({ console }: Pick<Session, "console">, question: string): boolean {
  console.out(`${question} [y/N] `);
  return console.line().trim().toLowerCase() === "y";
}
