/** Numbers of the RLIMIT_* resources, the same on every architecture that bunker runs on. Source: asm-generic/resource.h. */
const RESOURCES: Readonly<Record<string, number>> = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
};

/** The number of `nofile` or `RLIMIT_NOFILE`; undefined for an unknown name. */
export function rlimitNumber(name: string): number | undefined {
  const key = name.toLowerCase().replace(/^rlimit_/, "");
  return Object.hasOwn(RESOURCES, key) ? RESOURCES[key] : undefined;
}

export const RLIMIT_NAMES: readonly string[] = Object.keys(RESOURCES);

const UNLIMITED = 0xffff_ffff_ffff_ffffn;

/** RLIM_INFINITY for a negative number, as `ulimit` words it. */
export function rlimitValue(value: number): bigint {
  return value < 0 ? UNLIMITED : BigInt(value);
}
