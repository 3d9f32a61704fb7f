import type { LogWriter } from "./writer.ts";

/** What an entry is of a message; the messages of the two streams may lie between each other's parts. */
export interface Part {
  readonly stream: number;
  readonly isLast: boolean;
  /** False also where the entry does not say: then it is the first when the one before it of its stream is a last one. */
  readonly isFirst: boolean;
}

/** How entries lie in a file. Offsets are into the bytes given; an entry goes from its start up to its end. */
export interface LogFormat {
  /** An entry that is longer is none. */
  readonly longest: number;
  /** Whether what stands at the start of a file is an entry whatever it is: a line. */
  readonly isLine: boolean;
  /** Where the entry at `at` ends; undefined when it is not whole before `end`. */
  next(bytes: Buffer, at: number, end: number): number | undefined;
  /** Where the entry that ends at `end` begins; undefined when that is before the bytes. */
  previous(bytes: Buffer, end: number): number | undefined;
  /** Which part of which stream's message it is. */
  partOf(bytes: Buffer, start: number, end: number): Part;
  /** Hands the entry to the writer; what is no entry is passed over: the rest of the log is worth reading. */
  decode(bytes: Buffer, span: { readonly start: number; readonly end: number }, writer: LogWriter): void;
}
