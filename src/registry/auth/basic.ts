import type { Credentials } from "../types.ts";

/** The header of a name and a password; undefined where there are none. Source: RFC 7617. */
export function basic(credentials: Credentials | undefined): string | undefined {
  const { username, password } = credentials ?? {};
  if (username === undefined || password === undefined) return undefined;
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
