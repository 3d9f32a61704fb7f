import { ptr as addressOf, dlopen, FFIType, read } from "bun:ffi";
import { closeSync, constants as files, openSync } from "node:fs";
import { constants } from "node:os";
import { control, errnoName, failedWith, must } from "./syscalls.ts";

/** Source: the kernel's tables of system calls; the same number on every architecture. Since Linux 5.14. */
const QUOTACTL_FD = 443;
/** Source: quotactl(2), include/uapi/linux/quota.h, dqblk_xfs.h. */
const PROJECT = 2;
const Q_GETQUOTA = 0x800007;
const Q_SETQUOTA = 0x800008;
const Q_XGETQSTAT = 0x5805;
const PROJECT_ENFORCED = 1 << 5;
const QIF_BLIMITS = 1;
/** struct if_dqblk: limits in blocks of 1 KiB, the space used in bytes. */
const QUOTA_BYTES = 72;
const SOFT_OFFSET = 8;
const SPACE_OFFSET = 16;
const INODES_OFFSET = 40;
const VALID_OFFSET = 64;
const BLOCK = 1024;
/** struct fs_quota_stat, with `qs_flags` at 2. */
const STATE_BYTES = 80;
/** struct fsxattr, with `fsx_xflags` at 0 and `fsx_projid` at 12. Source: include/uapi/linux/fs.h. */
const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const FSXATTR_BYTES = 28;
const PROJECT_OFFSET = 12;
/** What is made in the directory belongs to its project. */
const FS_XFLAG_PROJINHERIT = 0x200;

let loaded: ReturnType<typeof load> | undefined;

function load() {
  return dlopen("libc.so.6", {
    __errno_location: { args: [], returns: "ptr" },
    syscall: { args: ["i64", "i64", "i64", "i64", "ptr"], returns: FFIType.i64_fast },
  }).symbols;
}

function quotactl(descriptor: number, { command, id }: { command: number; id: number }, data: Uint8Array) {
  loaded ??= load();
  const result = Number(
    loaded.syscall(QUOTACTL_FD, descriptor, (command << 8) | PROJECT, id, addressOf(data)),
  );
  const address = loaded.__errno_location();
  return result === -1 && address !== null ? -read.i32(address, 0) : result;
}

/** Why the file system of a directory keeps no space limits by project; undefined when it does. */
export function noProjectQuotas(directory: string): string | undefined {
  using opened = openDirectory(directory);
  const state = Buffer.alloc(STATE_BYTES);
  const result = quotactl(opened.descriptor, { command: Q_XGETQSTAT, id: 0 }, state);
  if (result === -constants.errno.ENOSYS) return "the kernel is older than 5.14, or has no quotas";
  if (result < 0) return `its file system keeps no project quotas (${errnoName(result)})`;
  if ((state.readUInt16LE(2) & PROJECT_ENFORCED) !== 0) return undefined;
  return "its file system is not mounted with prjquota";
}

/** The project of a directory; 0 for none, also on a file system that knows none. */
export function projectOf(directory: string): number {
  using opened = openDirectory(directory);
  const attributes = Buffer.alloc(FSXATTR_BYTES);
  const result = control(opened.descriptor, FS_IOC_FSGETXATTR, attributes);
  if (failedWith(result, "ENOTTY") || failedWith(result, "EOPNOTSUPP")) return 0;
  must(result, () => `ask for the project of ${directory}`);
  return attributes.readUInt32LE(PROJECT_OFFSET);
}

/** What is made in the directory from now on belongs to the project; of an empty one that is all. */
export function setProject(directory: string, project: number): void {
  using opened = openDirectory(directory);
  const attributes = attributesOf(opened.descriptor, directory);
  // Without a sign: the highest bit says that there are attributes.
  attributes.writeUInt32LE((attributes.readUInt32LE(0) | FS_XFLAG_PROJINHERIT) >>> 0, 0);
  attributes.writeUInt32LE(project, PROJECT_OFFSET);
  must(
    control(opened.descriptor, FS_IOC_FSSETXATTR, attributes),
    () => `put ${directory} under a size limit`,
  );
}

/** Bytes; 0 lifts the limit. `roomBytes` may be used beyond it, though the limit stays what it is told to be. */
export function limitProject(
  directory: string,
  project: number,
  { bytes, roomBytes = 0 }: { readonly bytes: number; readonly roomBytes?: number },
): void {
  using opened = openDirectory(directory);
  const quota = Buffer.alloc(QUOTA_BYTES);
  quota.writeBigUInt64LE(BigInt(Math.ceil((bytes + roomBytes) / BLOCK)), 0);
  quota.writeBigUInt64LE(BigInt(Math.ceil(bytes / BLOCK)), SOFT_OFFSET);
  quota.writeUInt32LE(QIF_BLIMITS, VALID_OFFSET);
  const result = quotactl(opened.descriptor, { command: Q_SETQUOTA, id: project }, quota);
  must(result, () => `limit the size of ${directory}`);
}

/** In bytes, and files of every kind. A project that nobody has ever used has none of them. */
export interface ProjectUsage {
  readonly limit: number;
  readonly used: number;
  readonly inodes: number;
}

export function projectUsage(directory: string, project: number): ProjectUsage {
  using opened = openDirectory(directory);
  const quota = Buffer.alloc(QUOTA_BYTES);
  const result = quotactl(opened.descriptor, { command: Q_GETQUOTA, id: project }, quota);
  // ENOENT: XFS has no record of it.
  if (result === -constants.errno.ENOENT) return { limit: 0, used: 0, inodes: 0 };
  must(result, () => `ask for the size limit of ${directory}`);
  const [hard, soft] = [quota.readBigUInt64LE(0), quota.readBigUInt64LE(SOFT_OFFSET)];
  return {
    limit: Number(soft === 0n ? hard : soft) * BLOCK,
    used: Number(quota.readBigUInt64LE(SPACE_OFFSET)),
    inodes: Number(quota.readBigUInt64LE(INODES_OFFSET)),
  };
}

function attributesOf(descriptor: number, directory: string): Buffer {
  const attributes = Buffer.alloc(FSXATTR_BYTES);
  must(control(descriptor, FS_IOC_FSGETXATTR, attributes), () => `ask for the project of ${directory}`);
  return attributes;
}

function openDirectory(path: string): Disposable & { readonly descriptor: number } {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = files;
  const descriptor = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  return { descriptor, [Symbol.dispose]: () => closeSync(descriptor) };
}
