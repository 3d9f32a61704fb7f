/** The newest version of the Docker Engine API that is spoken, and the one an unversioned path means. */
export const API_VERSION = "1.56";
/** The oldest version a client may ask for. */
export const MINIMUM_API_VERSION = "1.24";

const VERSION = /^(\d{1,4})\.(\d{1,4})$/;

/** Negative, zero or positive as `a` is older than, equal to or newer than `b`; what is no version is oldest of all. */
export function compareVersions(a: string, b: string): number {
  return rank(a) - rank(b);
}

/** Whether the version a client asked for has what came with `since`. */
export function isAtLeast(version: string, since: string): boolean {
  return compareVersions(version, since) >= 0;
}

/** Asked for with each field of each row: of the versions that there are, each is looked at once. */
const RANKS = new Map<string, number>();
const REMEMBERED = 256;

function rank(version: string): number {
  const known = RANKS.get(version);
  if (known !== undefined) return known;
  const [, major, minor] = VERSION.exec(version) ?? [];
  const rank = major === undefined ? -1 : Number(major) * 10_000 + Number(minor);
  if (RANKS.size < REMEMBERED) RANKS.set(version, rank);
  return rank;
}
