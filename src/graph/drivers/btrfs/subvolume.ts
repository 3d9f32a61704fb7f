import { closeSync, constants, openSync } from "node:fs";
import { basename, dirname } from "node:path";
import { control, must } from "#host";

/** Source: include/uapi/linux/btrfs.h: `_IOW(0x94, n, struct btrfs_ioctl_vol_args)`. */
const SNAP_CREATE = 0x50009401;
const SUBVOL_CREATE = 0x5000940e;
/** struct btrfs_ioctl_vol_args: a descriptor of 64 bits, and a name that ends with NUL. */
const ARGUMENT_BYTES = 4096;
const NAME_OFFSET = 8;

/** An empty subvolume. `path` must not exist. */
export function makeSubvolume(path: string): void {
  using parent = openDirectory(dirname(path));
  const argument = named(path);
  must(control(parent.descriptor, SUBVOL_CREATE, argument), () => `make the subvolume ${path}`);
}

/** A subvolume that can be written to and holds what another one does. `to` must not exist. */
export function snapshot(from: string, to: string): void {
  using source = openDirectory(from);
  using parent = openDirectory(dirname(to));
  const argument = named(to);
  argument.writeBigInt64LE(BigInt(source.descriptor), 0);
  must(control(parent.descriptor, SNAP_CREATE, argument), () => `make the snapshot ${to}`);
}

function named(path: string): Buffer {
  const argument = Buffer.alloc(ARGUMENT_BYTES);
  argument.write(basename(path), NAME_OFFSET);
  return argument;
}

export function openDirectory(path: string): Disposable & { readonly descriptor: number } {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const descriptor = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  return { descriptor, [Symbol.dispose]: () => closeSync(descriptor) };
}
