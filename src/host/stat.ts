import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  type PathArgument,
  statx,
  type TimeSpec,
} from "./syscalls.ts";

/** What a file is, as far as an archive tells it: half the time of node:fs with its nanoseconds. */
export interface FileLook {
  /** With the type of the file. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Bytes that are stored: less than the size where there are holes. */
  readonly stored: number;
  readonly modified: TimeSpec;
  /** Of a device. */
  readonly major: number;
  readonly minor: number;
  /** The same for all names of one file, and for those of no other. */
  readonly identity: string;
}

const BASIC_STATS = 0x7ff;
const HIGH = 2 ** 32;
/** `st_blocks` counts these, whatever the file system's are. */
const SECTOR = 512;
const NOWHERE = Buffer.from("\0");

/** 256 bytes. Source: Linux, include/uapi/linux/stat.h. */
const buffer = new Uint8Array(256);
const words = new Uint32Array(buffer.buffer);
const AT = {
  links: 4,
  uid: 5,
  gid: 6,
  mode: 7,
  inode: 8,
  size: 10,
  blocks: 12,
  modifiedSeconds: 28,
  modifiedNanoseconds: 30,
  nodeMajor: 32,
  nodeMinor: 33,
  fileSystemMajor: 34,
  fileSystemMinor: 35,
} as const;

/** Of the name itself, also when it is a symbolic link. A negative number is -errno. */
export function lookAtName(path: PathArgument): FileLook | number {
  const result = statx(AT_FDCWD, path, { flags: AT_SYMLINK_NOFOLLOW, mask: BASIC_STATS, into: buffer });
  return result < 0 ? result : decoded();
}

/** Of what is open. A negative number is -errno. */
export function lookAtOpen(descriptor: number): FileLook | number {
  const result = statx(descriptor, NOWHERE, { flags: AT_EMPTY_PATH, mask: BASIC_STATS, into: buffer });
  return result < 0 ? result : decoded();
}

function decoded(): FileLook {
  return {
    mode: word(AT.mode) & 0xffff,
    links: word(AT.links),
    uid: word(AT.uid),
    gid: word(AT.gid),
    size: word(AT.size) + word(AT.size + 1) * HIGH,
    stored: (word(AT.blocks) + word(AT.blocks + 1) * HIGH) * SECTOR,
    modified: {
      seconds: word(AT.modifiedSeconds) + (word(AT.modifiedSeconds + 1) | 0) * HIGH,
      nanoseconds: word(AT.modifiedNanoseconds),
    },
    major: word(AT.nodeMajor),
    minor: word(AT.nodeMinor),
    identity: `${word(AT.fileSystemMajor)}:${word(AT.fileSystemMinor)}:${word(AT.inode)}:${word(AT.inode + 1)}`,
  };
}

const word = (at: number): number => words[at] ?? 0;
