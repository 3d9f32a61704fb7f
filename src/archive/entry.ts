import type { TimeSpec } from "#host";

/** Names in archives are bytes, not text: here each character of such a string is one byte. */
export type ByteString = string;

export type EntryType = "file" | "hardlink" | "symlink" | "character" | "block" | "directory" | "fifo";

/** Bytes of a sparse file that are there; the rest is holes. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
}

/** One member of a tar archive, whatever dialect said it. */
export interface Entry {
  readonly type: EntryType;
  /** As written in the archive: not cleaned. */
  readonly path: ByteString;
  /** Target of a hardlink or symlink. */
  readonly target: ByteString;
  /** Permission bits with set-uid, set-gid and sticky: no file type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file once unpacked, holes included. */
  readonly size: number;
  readonly modified: TimeSpec;
  readonly major: number;
  readonly minor: number;
  /** Extended attributes by name. */
  readonly attributes: ReadonlyMap<ByteString, Uint8Array>;
  readonly segments?: readonly Segment[];
}

/** Is told what an archive holds, in order and synchronously. Bytes are only valid during the call. */
export interface EntrySink {
  begin(entry: Entry): void;
  data(bytes: Uint8Array, offset: number): void;
  finish(): void;
}
