import { Fault } from "#errors";
import type { TimeSpec } from "#host";

/** A number of a tar header: octal digits, or base 256 when the top bit is set. Source: tar(5), "Numeric Extensions". */
export function readNumber(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  return first & 0x80
    ? readBinary(block.subarray(offset, offset + length))
    : readOctal(block, offset, length);
}

function readOctal(block: Buffer, offset: number, length: number): number {
  let at = offset;
  const end = offset + length;
  while (at < end && (block[at] === 0x20 || block[at] === 0)) at++;
  let value = 0;
  for (; at < end; at++) {
    const byte = block[at] ?? 0;
    if (byte === 0 || byte === 0x20) break;
    if (byte < 0x30 || byte > 0x37)
      throw new Fault("invalid", "Cannot read the archive: a header number is not octal");
    value = value * 8 + (byte - 0x30);
  }
  return value;
}

function readBinary(field: Buffer): number {
  const isNegative = ((field[0] ?? 0) & 0x40) !== 0;
  let value = BigInt((field[0] ?? 0) & (isNegative ? 0xff : 0x7f));
  for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
  const signed = isNegative ? BigInt.asIntN(field.length * 8, value) : value;
  return safeNumber(Number(signed));
}

export function safeNumber(value: number): number {
  if (Number.isSafeInteger(value)) return value;
  throw new Fault("invalid", "Cannot read the archive: a header number is out of range");
}

/** A decimal number of a PAX record. */
export function readDecimal(text: string): number {
  if (!/^-?\d{1,16}$/.test(text))
    throw new Fault("invalid", `Cannot read the archive: "${text.slice(0, 40)}" is not a whole number`);
  return safeNumber(Number(text));
}

/** `-1.5` is second -2 and 500,000,000 nanoseconds. Source: POSIX pax, "mtime". */
export function readTime(text: string): TimeSpec {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (match === null)
    throw new Fault("invalid", `Cannot read the archive: "${text.slice(0, 40)}" is not a time`);
  const [, sign = "", whole = "0", fraction = ""] = match;
  const seconds = Number(whole);
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === "") return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: -seconds, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

/** The text that `readTime` reads. */
export function formatTime({ seconds, nanoseconds }: TimeSpec): string {
  if (nanoseconds === 0) return String(seconds);
  const isBefore = seconds < 0;
  const whole = isBefore ? -seconds - 1 : seconds;
  const fraction = isBefore ? 1_000_000_000 - nanoseconds : nanoseconds;
  return `${isBefore ? "-" : ""}${whole}.${String(fraction).padStart(9, "0").replace(/0+$/, "")}`;
}
