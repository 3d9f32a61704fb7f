import { type BigIntStats, readSync, writeSync } from "node:fs";
import {
  changeModeOf,
  changeOwnerOf,
  changeTimesOf,
  cloneFile,
  copyFileRange,
  failedWith,
  getAttributeOf,
  listAttributesOf,
  must,
  seek,
  setAttributeOf,
  type TimeSpec,
  truncate,
} from "#host";
import { isBarred } from "./attributes.ts";
import { nextData } from "./data-ranges.ts";
import type { ByteString } from "./entry.ts";
import { cString, textOf } from "./names.ts";

const CHUNK_BYTES = 512 * 1024;
/** Source: copy_file_range(2). */
const DECLINED = ["EXDEV", "EINVAL", "ENOSYS", "EOPNOTSUPP"] as const;

/** A file or directory and its copy, both open. */
export interface Twins {
  readonly source: number;
  readonly target: number;
  readonly path: ByteString;
}

/** Shares the blocks where the file system can; else copies what is data and leaves the holes. */
export function copyData({ source, target, path }: Twins, size: number): void {
  if (size === 0 || cloneFile(source, target) >= 0) return;
  must(truncate(target, size), () => `set the size of ${textOf(path)}`);
  for (let at = 0; at < size; ) {
    const data = nextData(source, at, { what: () => `read ${textOf(path)}` });
    if (data === undefined) return;
    copyRange({ source, target, path }, data.start, Math.min(data.end, size));
    at = data.end;
  }
}

function copyRange(twins: Twins, start: number, end: number): void {
  const { source, target, path } = twins;
  seek(source, start, 0);
  seek(target, start, 0);
  for (let at = start; at < end; ) {
    const length = copyFileRange(source, target, end - at);
    // From one file system to another the kernel may decline.
    if (DECLINED.some((name) => failedWith(length, name))) {
      copyBytes(twins, at, end);
      return;
    }
    must(length, () => `copy to ${textOf(path)}`);
    if (length === 0) return;
    at += length;
  }
}

function copyBytes({ source, target }: Twins, start: number, end: number): void {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - start));
  for (let at = start; at < end; ) {
    const length = readSync(source, buffer, 0, Math.min(buffer.length, end - at), at);
    if (length === 0) return;
    for (let done = 0; done < length; ) done += writeSync(target, buffer, done, length - done, at + done);
    at += length;
  }
}

/** Order matters: a change of owner clears set-uid and capabilities, every change touches the times. */
export function dress({ source, target, path }: Twins, stats: BigIntStats): void {
  const shown = textOf(path);
  must(changeOwnerOf(target, Number(stats.uid), Number(stats.gid)), () => `change the owner of ${shown}`);
  must(changeModeOf(target, Number(stats.mode) & 0o7777), () => `change the mode of ${shown}`);
  for (const name of listAttributesOf(source)) {
    const key = cString(name);
    const value = isBarred(name) ? undefined : getAttributeOf(source, key);
    if (value === undefined) continue;
    const result = setAttributeOf(target, key, value);
    // Another file system may keep fewer; what a program may do is not to be lost unsaid.
    if (failedWith(result, "ENOTSUP") && name !== "security.capability") continue;
    must(result, () => `set the attribute ${textOf(name)} of ${shown}`);
  }
  const { accessed, modified } = timesOf(stats);
  must(changeTimesOf(target, accessed, modified), () => `change the times of ${shown}`);
}

export function timesOf(stats: BigIntStats): { readonly accessed: TimeSpec; readonly modified: TimeSpec } {
  return { accessed: timeOf(stats.atimeNs), modified: timeOf(stats.mtimeNs) };
}

function timeOf(nanoseconds: bigint): TimeSpec {
  const part = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { seconds: Number((nanoseconds - part) / 1_000_000_000n), nanoseconds: Number(part) };
}
