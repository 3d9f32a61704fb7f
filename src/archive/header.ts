import { Fault } from "#errors";
import { isChecksumOf, SUM_AT, SUM_BYTES } from "./checksum.ts";
import { readNumber } from "./numbers.ts";

export const BLOCK = 512;

/** The fixed part of a tar header. Source: POSIX ustar interchange format; GNU tar manual, "Standard". */
export interface Header {
  readonly typeflag: string;
  readonly name: string;
  readonly linkname: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of data that follow. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly modified: number;
  readonly major: number;
  readonly minor: number;
}

export function isZeroBlock(block: Buffer): boolean {
  for (let at = 0; at < BLOCK; at++) if (block[at] !== 0) return false;
  return true;
}

/** Throws `invalid` when the block is no header. */
export function parseHeader(block: Buffer): Header {
  verifySum(block);
  const magic = block.toString("latin1", 257, 265);
  const isPosix = magic.startsWith("ustar\0");
  const isKnown = isPosix || magic === "ustar  \0";
  const prefix = isPosix ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  return {
    typeflag: String.fromCharCode(block[156] ?? 0),
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkname: text(block, 157, 100),
    mode: readNumber(block, 100, 8),
    uid: readNumber(block, 108, 8),
    gid: readNumber(block, 116, 8),
    size: readNumber(block, 124, 12),
    modified: readNumber(block, 136, 12),
    major: isKnown ? readNumber(block, 329, 8) : 0,
    minor: isKnown ? readNumber(block, 337, 8) : 0,
  };
}

/** The bytes up to the first NUL. */
export function text(block: Buffer, offset: number, length: number): string {
  const end = offset + length;
  let at = offset;
  while (at < end && block[at] !== 0) at++;
  if (at === offset) return "";
  return block.toString("latin1", offset, at);
}

/** The checksum is that of the header with blanks in its own place. Old archives summed signed bytes: both are right. */
function verifySum(block: Buffer): void {
  const expected = readNumber(block, SUM_AT, SUM_BYTES);
  if (isChecksumOf(expected, block)) return;
  const large = block.reduce(
    (count, byte, at) => count + (byte > 127 && (at < SUM_AT || at >= SUM_AT + SUM_BYTES) ? 1 : 0),
    0,
  );
  if (!isChecksumOf(expected + 256 * large, block))
    throw new Fault("invalid", "Cannot read the archive: a header's checksum is wrong");
}
