import { dirname } from "node:path";
import { control, failedWith, must } from "#host";
import { openDirectory } from "./subvolume.ts";

/** Source: include/uapi/linux/btrfs.h: `_IOWR(0x94, 40, struct btrfs_ioctl_quota_ctl_args)` and its neighbours. */
const QUOTA_CTL = 0xc0109428;
const QGROUP_CREATE = 0x4010942a;
const QGROUP_LIMIT = 0x8030942b;
const INO_LOOKUP = 0xd0009412;
const QUOTA_ENABLE = 1n;
/** struct btrfs_ioctl_qgroup_limit_args: the group, flags, the limits of what is referenced and what is exclusive. */
const LIMIT_BYTES = 48;
const LIMIT_FLAGS = 8;
const LIMIT_EXCLUSIVE = 24;
const MAX_EXCLUSIVE = 2n;
/** As a limit: none. */
const NO_LIMIT = 0xffff_ffff_ffff_ffffn;
/** struct btrfs_ioctl_ino_lookup_args, and the number of every subvolume's own directory. */
const LOOKUP_BYTES = 4096;
const FIRST_OBJECT = 256n;

/**
 * Bounds what a subvolume holds beyond what it shares with others: what was written to it. Accounting is switched on for
 * the whole file system when first wanted, and costs nothing before.
 */
export function limitSubvolume(tree: string, bytes: number): void {
  using opened = openDirectory(tree);
  const wanted = limitOf(BigInt(bytes));
  let result = control(opened.descriptor, QGROUP_LIMIT, wanted);
  if (failedWith(result, "ENOTCONN")) {
    const enable = Buffer.alloc(16);
    enable.writeBigUInt64LE(QUOTA_ENABLE, 0);
    must(control(opened.descriptor, QUOTA_CTL, enable), () => `switch quotas on for ${tree}`);
    result = control(opened.descriptor, QGROUP_LIMIT, wanted);
  }
  must(result, () => `limit the size of ${tree}`);
}

/**
 * Nothing can be deleted from what is full: the limit goes first, and the count when the subvolume has gone (the kernel
 * sees to that itself since 6.12). There is neither where quotas are off.
 */
export function releaseSubvolume(tree: string): () => void {
  try {
    using opened = openDirectory(tree);
    if (control(opened.descriptor, QGROUP_LIMIT, limitOf(NO_LIMIT)) < 0) return () => {};
    const group = numberOf(opened.descriptor, tree);
    return () => forgetGroup(dirname(dirname(tree)), group);
  } catch {
    return () => {};
  }
}

function limitOf(bytes: bigint): Buffer {
  const limit = Buffer.alloc(LIMIT_BYTES);
  limit.writeBigUInt64LE(MAX_EXCLUSIVE, LIMIT_FLAGS);
  limit.writeBigUInt64LE(bytes, LIMIT_EXCLUSIVE);
  return limit;
}

/** A subvolume and its group have the same number. */
function numberOf(descriptor: number, tree: string): bigint {
  const lookup = Buffer.alloc(LOOKUP_BYTES);
  lookup.writeBigUInt64LE(FIRST_OBJECT, 8);
  must(control(descriptor, INO_LOOKUP, lookup), () => `ask for the number of ${tree}`);
  return lookup.readBigUInt64LE(0);
}

function forgetGroup(directory: string, group: bigint): void {
  using opened = openDirectory(directory);
  const removal = Buffer.alloc(16);
  removal.writeBigUInt64LE(group, 8);
  control(opened.descriptor, QGROUP_CREATE, removal);
}
