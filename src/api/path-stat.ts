/** The header of the archive endpoints: base64 of JSON. */
export const PATH_STAT_HEADER = "X-Docker-Container-Path-Stat";

/** What the header holds. `mode` has Go's bits, not those of stat(2). */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  /** RFC 3339. */
  readonly mtime: string;
  readonly linkTarget: string;
}

/** By the type in st_mode. Source: Go's io/fs, FileMode; inode(7). */
const GO_TYPES = new Map([
  [0o010000, 2 ** 25],
  [0o020000, 2 ** 26 + 2 ** 21],
  [0o040000, 2 ** 31],
  [0o060000, 2 ** 26],
  [0o100000, 0],
  [0o120000, 2 ** 27],
  [0o140000, 2 ** 24],
]);
const GO_IRREGULAR = 2 ** 19;
/** Set-uid, set-gid and sticky. */
const GO_SPECIAL = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
] as const;

/** st_mode as Go's FileMode. */
export function toGoMode(mode: number): number {
  const type = GO_TYPES.get(mode & 0o170000) ?? GO_IRREGULAR;
  const special = GO_SPECIAL.reduce((sum, [bit, go]) => ((mode & bit) === 0 ? sum : sum + go), 0);
  return type + special + (mode & 0o777);
}

export function encodePathStat(stat: PathStat): string {
  return Buffer.from(JSON.stringify(stat)).toString("base64");
}
