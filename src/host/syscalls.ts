import { ptr as addressOf, dlopen, FFIType, read } from "bun:ffi";
import { constants as files } from "node:fs";
import { constants } from "node:os";
import { Fault } from "#errors";

/**
 * System calls, one to one and synchronous. Each returns what the kernel returned, or -errno: `must` turns
 * the latter into a Fault where it is not an expected answer.
 */

/** UTF-8 text, or bytes that end with NUL for names that are not UTF-8. */
export type PathArgument = string | Uint8Array;

export interface TimeSpec {
  readonly seconds: number;
  readonly nanoseconds: number;
}

const { symbols: libc } = dlopen("libc.so.6", {
  __errno_location: { args: [], returns: "ptr" },
  openat: { args: ["i32", "ptr", "i32", "u32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  write: { args: ["i32", "ptr", "u64"], returns: FFIType.i64_fast },
  pread64: { args: ["i32", "ptr", "u64", "i64"], returns: FFIType.i64_fast },
  lseek64: { args: ["i32", "i64", "i32"], returns: FFIType.i64_fast },
  ftruncate64: { args: ["i32", "i64"], returns: "i32" },
  copy_file_range: { args: ["i32", "ptr", "i32", "ptr", "u64", "u32"], returns: FFIType.i64_fast },
  ioctl: { args: ["i32", "u64", "i64"], returns: "i32" },
  renameat2: { args: ["i32", "ptr", "i32", "ptr", "u32"], returns: "i32" },
  fsync: { args: ["i32"], returns: "i32" },
  sync_file_range: { args: ["i32", "i64", "i64", "u32"], returns: "i32" },
  syncfs: { args: ["i32"], returns: "i32" },
  mkdirat: { args: ["i32", "ptr", "u32"], returns: "i32" },
  symlinkat: { args: ["ptr", "i32", "ptr"], returns: "i32" },
  linkat: { args: ["i32", "ptr", "i32", "ptr", "i32"], returns: "i32" },
  unlinkat: { args: ["i32", "ptr", "i32"], returns: "i32" },
  renameat: { args: ["i32", "ptr", "i32", "ptr"], returns: "i32" },
  fchmod: { args: ["i32", "u32"], returns: "i32" },
  fchmodat: { args: ["i32", "ptr", "u32", "i32"], returns: "i32" },
  fchown: { args: ["i32", "u32", "u32"], returns: "i32" },
  fchownat: { args: ["i32", "ptr", "u32", "u32", "i32"], returns: "i32" },
  futimens: { args: ["i32", "ptr"], returns: "i32" },
  utimensat: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
  lsetxattr: { args: ["ptr", "ptr", "ptr", "u64", "i32"], returns: "i32" },
  lgetxattr: { args: ["ptr", "ptr", "ptr", "u64"], returns: FFIType.i64_fast },
  llistxattr: { args: ["ptr", "ptr", "u64"], returns: FFIType.i64_fast },
  fsetxattr: { args: ["i32", "ptr", "ptr", "u64", "i32"], returns: "i32" },
  fgetxattr: { args: ["i32", "ptr", "ptr", "u64"], returns: FFIType.i64_fast },
  flistxattr: { args: ["i32", "ptr", "u64"], returns: FFIType.i64_fast },
  umask: { args: ["u32"], returns: "u32" },
  chroot: { args: ["ptr"], returns: "i32" },
  fchdir: { args: ["i32"], returns: "i32" },
  mount: { args: ["ptr", "ptr", "ptr", "u64", "ptr"], returns: "i32" },
  umount2: { args: ["ptr", "i32"], returns: "i32" },
  syscall: { args: ["i64", "i64", "ptr", "u64", "u64", "ptr"], returns: FFIType.i64_fast },
});

const errno = libc.__errno_location();
/** Not in every C library that is still in use. Source: the kernel's tables of system calls. */
const MKNODAT = process.arch === "arm64" ? 33 : 259;
const STATX = process.arch === "arm64" ? 291 : 332;
const OPENAT2 = 437;

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_EMPTY_PATH = 0x1000;
/** A file without a name in the directory that is opened. */
export const O_TMPFILE = 0o20000000 | files.O_DIRECTORY;
const RENAME_EXCHANGE = 2;
const SYNC_FILE_RANGE_WRITE = 2;
export const O_PATH = 0o10000000;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;
/** How openat2 resolves. Source: openat2(2). */
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;
/** `_IOW(0x94, 9, int)`. Source: ioctl_ficlone(2). */
const FICLONE = 0x40049409;

const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** `ENOENT` for 2. */
export function errnoName(number: number): string {
  return NAMES.get(Math.abs(number)) ?? `errno ${Math.abs(number)}`;
}

/** Whether a result is this error: `failedWith(result, "EEXIST")`. */
export function failedWith(result: number, name: keyof typeof constants.errno): boolean {
  return result === -constants.errno[name];
}

/** Throws `internal` ("Cannot make x: ENOSPC") when a system call failed; `what` completes "Cannot …". */
export function must(result: number, what: string | (() => string)): number {
  if (result >= 0) return result;
  const kind = failedWith(result, "ENOSPC") || failedWith(result, "EDQUOT") ? "unavailable" : "internal";
  const reason = failedWith(result, "ENOSPC") ? "no space left on device" : errnoName(result);
  throw new Fault(kind, `Cannot ${typeof what === "string" ? what : what()}: ${reason}`);
}

function settle(result: number): number {
  return result === -1 && errno !== null ? -read.i32(errno, 0) : result;
}

function bytes(path: PathArgument): Uint8Array {
  return typeof path === "string" ? Buffer.from(`${path}\0`) : path;
}

export function openAt(directory: number, path: PathArgument, flags: number, mode = 0): number {
  return settle(libc.openat(directory, bytes(path), flags, mode));
}

/** Opens by descriptor within bounds: `resolve` is made of RESOLVE_*. Source: openat2(2). */
export function openAt2(
  directory: number,
  path: PathArgument,
  how: { readonly flags: number; readonly mode?: number; readonly resolve: number },
): number {
  const request = BigUint64Array.of(BigInt(how.flags), BigInt(how.mode ?? 0), BigInt(how.resolve));
  return settle(Number(libc.syscall(OPENAT2, directory, bytes(path), addressOf(request), 24, null)));
}

export function close(descriptor: number): number {
  return settle(libc.close(descriptor));
}

export function write(descriptor: number, data: Uint8Array): number {
  return settle(Number(libc.write(descriptor, data, data.byteLength)));
}

export function readAt(descriptor: number, into: Uint8Array, offset: number): number {
  return settle(Number(libc.pread64(descriptor, into, into.byteLength, offset)));
}

export function seek(descriptor: number, offset: number, whence: number): number {
  return settle(Number(libc.lseek64(descriptor, offset, whence)));
}

/** Fills a `struct statx` with the fields of a mask. Source: statx(2). */
export function statx(
  directory: number,
  path: PathArgument,
  { flags, mask, into }: { readonly flags: number; readonly mask: number; readonly into: Uint8Array },
): number {
  return settle(Number(libc.syscall(STATX, directory, bytes(path), flags, mask, into)));
}

export function truncate(descriptor: number, size: number): number {
  return settle(libc.ftruncate64(descriptor, size));
}

/** Copies at the current offsets of both; the kernel shares blocks where the file system can. */
export function copyFileRange(from: number, to: number, length: number): number {
  return settle(Number(libc.copy_file_range(from, null, to, null, length, 0)));
}

/** Makes `to` share all of `from`'s blocks. */
export function cloneFile(from: number, to: number): number {
  return settle(libc.ioctl(to, FICLONE, from));
}

/** ioctl(2): the argument is a number, or what the kernel reads from or writes to. */
export function control(descriptor: number, request: number, argument: number | Uint8Array): number {
  const value = typeof argument === "number" ? argument : addressOf(argument);
  return settle(libc.ioctl(descriptor, request, value));
}

export function fsync(descriptor: number): number {
  return settle(libc.fsync(descriptor));
}

/** Has a part of a file written out without waiting for it. Source: sync_file_range(2), SYNC_FILE_RANGE_WRITE. */
export function beginWriteOut(descriptor: number, offset: number, length: number): number {
  return settle(libc.sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WRITE));
}

/** Writes out the whole file system that the descriptor is on. */
export function syncFileSystem(descriptor: number): number {
  return settle(libc.syncfs(descriptor));
}

export function makeDirectoryAt(directory: number, path: PathArgument, mode: number): number {
  return settle(libc.mkdirat(directory, bytes(path), mode));
}

export function makeSymlinkAt(target: PathArgument, directory: number, path: PathArgument): number {
  return settle(libc.symlinkat(bytes(target), directory, bytes(path)));
}

/** A symbolic link as `from` is itself linked, never followed. */
export function linkAt(
  fromDirectory: number,
  from: PathArgument,
  toDirectory: number,
  to: PathArgument,
): number {
  return settle(libc.linkat(fromDirectory, bytes(from), toDirectory, bytes(to), 0));
}

/** Gives a name to an open file that has none. Source: linkat(2), AT_EMPTY_PATH. */
export function linkOpenFile(descriptor: number, directory: number, name: PathArgument): number {
  return settle(libc.linkat(descriptor, bytes(""), directory, bytes(name), AT_EMPTY_PATH));
}

/** `flags`: 0 or AT_REMOVEDIR. */
export function unlinkAt(directory: number, path: PathArgument, flags = 0): number {
  return settle(libc.unlinkat(directory, bytes(path), flags));
}

export function renameAt(
  fromDirectory: number,
  from: PathArgument,
  toDirectory: number,
  to: PathArgument,
): number {
  return settle(libc.renameat(fromDirectory, bytes(from), toDirectory, bytes(to)));
}

/** Each takes the other's place, in one step. Source: renameat2(2), RENAME_EXCHANGE. */
export function exchange(one: PathArgument, other: PathArgument): number {
  return settle(libc.renameat2(AT_FDCWD, bytes(one), AT_FDCWD, bytes(other), RENAME_EXCHANGE));
}

/** `mode` with the file type (S_IFCHR, …); `device` as `makeDevice` gives it. */
export function makeNodeAt(directory: number, path: PathArgument, mode: number, device: number): number {
  return settle(Number(libc.syscall(MKNODAT, directory, bytes(path), mode, device, null)));
}

/** Source: makedev(3): 12 and 20 bits are what the kernel keeps. */
export function makeDevice(major: number, minor: number): number {
  return Number((BigInt(minor) & 0xffn) | (BigInt(major) << 8n) | ((BigInt(minor) & ~0xffn) << 12n));
}

export function changeModeOf(descriptor: number, mode: number): number {
  return settle(libc.fchmod(descriptor, mode));
}

/** Follows a symbolic link: the caller knows that it is none. */
export function changeModeAt(directory: number, path: PathArgument, mode: number): number {
  return settle(libc.fchmodat(directory, bytes(path), mode, 0));
}

export function changeOwnerOf(descriptor: number, uid: number, gid: number): number {
  return settle(libc.fchown(descriptor, uid, gid));
}

/** Of the name itself, also when it is a symbolic link. */
export function changeOwnerAt(
  directory: number,
  path: PathArgument,
  owner: { readonly uid: number; readonly gid: number },
): number {
  return settle(libc.fchownat(directory, bytes(path), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW));
}

const times = new BigInt64Array(4);

function fill(accessed: TimeSpec, modified: TimeSpec): BigInt64Array {
  times[0] = BigInt(accessed.seconds);
  times[1] = BigInt(accessed.nanoseconds);
  times[2] = BigInt(modified.seconds);
  times[3] = BigInt(modified.nanoseconds);
  return times;
}

export function changeTimesOf(descriptor: number, accessed: TimeSpec, modified: TimeSpec): number {
  return settle(libc.futimens(descriptor, fill(accessed, modified)));
}

/** Of the name itself, also when it is a symbolic link. */
export function changeTimesAt(
  directory: number,
  path: PathArgument,
  { accessed, modified }: { readonly accessed: TimeSpec; readonly modified: TimeSpec },
): number {
  return settle(libc.utimensat(directory, bytes(path), fill(accessed, modified), AT_SYMLINK_NOFOLLOW));
}

/** Of the name itself, also when it is a symbolic link. */
export function setAttribute(path: PathArgument, name: PathArgument, value: Uint8Array): number {
  const held = value.byteLength === 0 ? new Uint8Array(1) : value;
  return settle(libc.lsetxattr(bytes(path), bytes(name), held, value.byteLength, 0));
}

const scratch = new Uint8Array(64 * 1024);

/** Of the name itself; undefined when it has no such attribute or the file system keeps none. */
export function getAttribute(path: PathArgument, name: PathArgument): Uint8Array | undefined {
  const length = settle(Number(libc.lgetxattr(bytes(path), bytes(name), scratch, scratch.byteLength)));
  return length < 0 ? undefined : scratch.slice(0, length);
}

/** The names as byte strings (one character a byte); none when the file system keeps no attributes. */
export function listAttributes(path: PathArgument): readonly string[] {
  return namesIn(settle(Number(libc.llistxattr(bytes(path), scratch, scratch.byteLength))));
}

export function setAttributeOf(descriptor: number, name: PathArgument, value: Uint8Array): number {
  const held = value.byteLength === 0 ? new Uint8Array(1) : value;
  return settle(libc.fsetxattr(descriptor, bytes(name), held, value.byteLength, 0));
}

export function getAttributeOf(descriptor: number, name: PathArgument): Uint8Array | undefined {
  const length = settle(Number(libc.fgetxattr(descriptor, bytes(name), scratch, scratch.byteLength)));
  return length < 0 ? undefined : scratch.slice(0, length);
}

export function listAttributesOf(descriptor: number): readonly string[] {
  return namesIn(settle(Number(libc.flistxattr(descriptor, scratch, scratch.byteLength))));
}

/** In the scratch, each ended by NUL. */
function namesIn(length: number): readonly string[] {
  if (length <= 0) return [];
  return Buffer.from(scratch.buffer, 0, length - 1)
    .toString("latin1")
    .split("\0");
}

/** Returns the mask that was set before. */
export function setUmask(mask: number): number {
  return libc.umask(mask);
}

/** For the whole process, for ever; the working directory becomes the new root. */
export function changeRoot(directory: string): number {
  const result = settle(libc.chroot(bytes(directory)));
  if (result === 0) process.chdir("/");
  return result;
}

/** Relative paths of system calls start at this directory from now on; `process.cwd()` is not told. */
export function changeDirectoryTo(descriptor: number): number {
  return settle(libc.fchdir(descriptor));
}

export function mountRaw(call: {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly flags: number;
  readonly data: string;
}): number {
  return settle(
    libc.mount(bytes(call.source), bytes(call.target), bytes(call.type), call.flags, bytes(call.data)),
  );
}

export function unmountRaw(target: string, flags: number): number {
  return settle(libc.umount2(bytes(target), flags));
}
