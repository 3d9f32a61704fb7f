import type { LogWriter } from "./writer.ts";

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
  /** Whether it is the last part of its message. */
  endsMessage(bytes: Buffer, start: number, end: number): boolean;
  /** Hands the entry to the writer; what is no entry is passed over: the rest of the log is worth reading. */
  decode(bytes: Buffer, span: { readonly start: number; readonly end: number }, writer: LogWriter): void;
}
