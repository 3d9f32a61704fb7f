import { readFileSync } from "node:fs";

/** So many ids of the host's from `first` on. */
export interface IdRange {
  readonly first: number;
  readonly size: number;
}

/** A user or a group, as the host knows it. */
export interface Account {
  readonly name: string;
  readonly id: number;
}

/** The last number that a user or a group may have; the one beyond it stands for none. */
export const LAST_ID = 0xffff_fffe;
/** So many ranges one mapping may have. Source: user_namespaces(7), "no more than 340 lines". */
export const MOST_ID_RANGES = 340;

/** By its name or its number. Undefined where there is none. Source: passwd(5) and group(5), whose first and third fields are alike. */
export function parseAccount(text: string, wanted: string): Account | undefined {
  for (const line of text.split("\n")) {
    const [name = "", , id = ""] = line.split(":");
    if (name !== "" && /^\d+$/.test(id) && (name === wanted || id === wanted))
      return { name, id: Number(id) };
  }
  return undefined;
}

/** What an account may give away, lowest first; lines that say nothing are passed over. Source: subuid(5). */
export function parseSubordinateIds(text: string, { name, id }: Account): readonly IdRange[] {
  const ranges = text.split("\n").flatMap((line) => {
    const [owner, first = "", size = ""] = line.trim().split(":");
    if (owner !== name && owner !== String(id)) return [];
    if (!/^\d{1,10}$/.test(first) || !/^\d{1,10}$/.test(size)) return [];
    return [{ first: Number(first), size: Number(size) }];
  });
  return ranges
    .filter(({ first, size }) => size > 0 && first + size - 1 <= LAST_ID)
    .sort((one, other) => one.first - other.first);
}

/** Empty where there is no such file. */
export function readAccounts(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
