import { ptr as addressOf, dlopen, FFIType, read } from "bun:ffi";
import { AT_EMPTY_PATH, AT_FDCWD, close, must } from "./syscalls.ts";

/** Source: the kernel's tables of system calls; the same number on every architecture. */
const OPEN_TREE = 428;
const MOUNT_SETATTR = 442;
/** Source: open_tree(2), mount_setattr(2). */
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOUNT_ATTR_RDONLY = 1n;
const MOUNT_ATTR_NOSUID = 2n;
const MOUNT_ATTR_NODEV = 4n;
const MOUNT_ATTR_BYTES = 32;

/**
 * A descriptor that shows a file through a read-only mount of its own, which stands in no directory: whoever gets
 * at the file through it, by /proc too, cannot write. It ends with its last descriptor. Throws `internal`.
 */
export function readonlyView(path: string): number {
  const { symbols } = dlopen("libc.so.6", {
    __errno_location: { args: [], returns: "ptr" },
    syscall: { args: ["i64", "i64", "ptr", "u64", "ptr", "u64"], returns: FFIType.i64_fast },
  });
  const address = symbols.__errno_location();
  const call = (result: number | bigint): number =>
    Number(result) === -1 && address !== null ? -read.i32(address, 0) : Number(result);
  const name = Buffer.from(`${path}\0`);
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  const view = must(
    call(symbols.syscall(OPEN_TREE, AT_FDCWD, addressOf(name), flags, null, 0)),
    `make a read-only view of ${path}`,
  );
  const change = Buffer.alloc(MOUNT_ATTR_BYTES);
  change.writeBigUInt64LE(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  const nothing = Buffer.alloc(1);
  const changed = call(
    symbols.syscall(
      MOUNT_SETATTR,
      view,
      addressOf(nothing),
      AT_EMPTY_PATH,
      addressOf(change),
      MOUNT_ATTR_BYTES,
    ),
  );
  if (changed < 0) close(view);
  must(changed, `make the view of ${path} read-only`);
  return view;
}
