/** Flags of mount(2). Source: Linux, include/uapi/linux/mount.h. */
export const MS = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  SYNCHRONOUS: 0x10,
  REMOUNT: 0x20,
  MANDLOCK: 0x40,
  DIRSYNC: 0x80,
  NOSYMFOLLOW: 0x100,
  NOATIME: 0x400,
  NODIRATIME: 0x800,
  BIND: 0x1000,
  REC: 0x4000,
  SILENT: 0x8000,
  UNBINDABLE: 0x20000,
  PRIVATE: 0x40000,
  SLAVE: 0x80000,
  SHARED: 0x100000,
  RELATIME: 0x200000,
  ISVERSION: 0x800000,
  STRICTATIME: 0x1000000,
  LAZYTIME: 0x2000000,
} as const;

/** What fstab-like option words come to. */
export interface MountOptions {
  readonly isBind: boolean;
  readonly isRecursive: boolean;
  readonly isReadonly: boolean;
  readonly isRecursiveReadonly: boolean;
  /** MS_NOSUID and the like: without MS_BIND, MS_REC and propagation. MS_RDONLY is among them when `isReadonly`. */
  readonly flags: number;
  /** MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE, with MS_REC for the r-forms; 0 when none is named. */
  readonly propagation: number;
  /** What is left for the file system, joined by commas. */
  readonly data: string;
}

type FlagWord = { readonly set: number } | { readonly clear: number };

/** Source: mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"; OCI runtime specification 1.2, config.md, "Linux mount options". */
const FLAG_WORDS: Readonly<Record<string, FlagWord>> = {
  defaults: { set: 0 },
  ro: { set: MS.RDONLY },
  rw: { clear: MS.RDONLY },
  nosuid: { set: MS.NOSUID },
  suid: { clear: MS.NOSUID },
  nodev: { set: MS.NODEV },
  dev: { clear: MS.NODEV },
  noexec: { set: MS.NOEXEC },
  exec: { clear: MS.NOEXEC },
  sync: { set: MS.SYNCHRONOUS },
  async: { clear: MS.SYNCHRONOUS },
  dirsync: { set: MS.DIRSYNC },
  remount: { set: MS.REMOUNT },
  mand: { set: MS.MANDLOCK },
  nomand: { clear: MS.MANDLOCK },
  nosymfollow: { set: MS.NOSYMFOLLOW },
  symfollow: { clear: MS.NOSYMFOLLOW },
  noatime: { set: MS.NOATIME },
  atime: { clear: MS.NOATIME },
  nodiratime: { set: MS.NODIRATIME },
  diratime: { clear: MS.NODIRATIME },
  relatime: { set: MS.RELATIME },
  norelatime: { clear: MS.RELATIME },
  strictatime: { set: MS.STRICTATIME },
  nostrictatime: { clear: MS.STRICTATIME },
  lazytime: { set: MS.LAZYTIME },
  nolazytime: { clear: MS.LAZYTIME },
  silent: { set: MS.SILENT },
  loud: { clear: MS.SILENT },
  iversion: { set: MS.ISVERSION },
  noiversion: { clear: MS.ISVERSION },
};

const PROPAGATION_WORDS: Readonly<Record<string, number>> = {
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE | MS.REC,
  slave: MS.SLAVE,
  rslave: MS.SLAVE | MS.REC,
  shared: MS.SHARED,
  rshared: MS.SHARED | MS.REC,
  unbindable: MS.UNBINDABLE,
  runbindable: MS.UNBINDABLE | MS.REC,
};

/** The propagation flags of a word such as `rslave`, or undefined when it is none. */
export function propagationFlags(word: string): number | undefined {
  return Object.hasOwn(PROPAGATION_WORDS, word) ? PROPAGATION_WORDS[word] : undefined;
}

/** Sorts option words into flags, propagation and data. A later word overrides an earlier one; unknown words are data. */
export function parseMountOptions(words: readonly string[]): MountOptions {
  let flags = 0;
  let propagation = 0;
  const seen = { bind: false, recursive: false, recursiveReadonly: false };
  const data: string[] = [];
  for (const word of words) {
    const flag = Object.hasOwn(FLAG_WORDS, word) ? FLAG_WORDS[word] : undefined;
    const spread = propagationFlags(word);
    if (flag !== undefined) flags = "set" in flag ? flags | flag.set : flags & ~flag.clear;
    if (word === "rw") seen.recursiveReadonly = false;
    if (flag !== undefined) continue;
    if (spread !== undefined) propagation = spread;
    else if (word === "bind" || word === "rbind") {
      seen.bind = true;
      seen.recursive = word === "rbind";
    } else if (word === "rro") {
      seen.recursiveReadonly = true;
      flags |= MS.RDONLY;
    } else if (word !== "") data.push(word);
  }
  return {
    isBind: seen.bind,
    isRecursive: seen.recursive,
    isReadonly: (flags & MS.RDONLY) !== 0,
    isRecursiveReadonly: seen.recursiveReadonly,
    flags,
    propagation,
    data: data.join(","),
  };
}
