/** What Docker prints for a time that has never come. */
export const NEVER = "0001-01-01T00:00:00Z";

/** Nanoseconds since the epoch; the machine's clock gives microseconds of them. */
export function nowNanoseconds(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** RFC 3339 with nine digits of fraction. Source: Docker Engine API, RFC3339Nano fields. */
export function timestamp(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n;
  const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, "0");
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

const STAMP = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

/** The reverse of `timestamp`, for any RFC 3339 text; undefined when it is none. */
export function parseTimestamp(text: string): bigint | undefined {
  const match = STAMP.exec(text);
  if (match === null) return undefined;
  const [, seconds = "", fraction = "", zone = "Z"] = match;
  const milliseconds = Date.parse(`${seconds}${zone}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}
