import { statfs } from "node:fs/promises";

/** Source: linux/magic.h; names as `docker info` prints them. */
const NAMES: Readonly<Record<number, string>> = {
  61267: "extfs",
  1481003842: "xfs",
  2435016766: "btrfs",
  16914836: "tmpfs",
  2035054128: "overlayfs",
  801189825: "zfs",
  26985: "nfs",
  1702057286: "fuse",
};

/** The file system that a directory is on. */
export async function backingFileSystem(directory: string): Promise<string> {
  const { type } = await statfs(directory);
  return NAMES[type] ?? `0x${type.toString(16)}`;
}
