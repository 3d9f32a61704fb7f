import { Fault, sentenceOf } from "#errors";
import { fs } from "./lazy-fs.ts";

/** Whoever reads our output has gone. The program ends quietly, as one that SIGPIPE ended. */
export class ClosedPipe extends Error {
  override readonly name = "ClosedPipe";
}

/** Where a command's text goes. Written directly: loading process.stdout costs more than the rest of a short command. */
export interface Console {
  out(content: string | Uint8Array): void;
  err(content: string | Uint8Array): void;
  /** Whether descriptor 0, 1 or 2 is a terminal. */
  isTerminal(descriptor: 0 | 1 | 2): boolean;
  /** The next line of standard input, without its end; empty when there is none. Waits for it. */
  line(): string;
}

const encoder = new TextEncoder();
const RETRY_MILLISECONDS = 2;
/** Nobody answers a question with more, in bytes. */
const LONGEST_LINE = 4096;
const LINE_FEED = 10;
/** Major numbers of terminals: tty, console, serial lines, pseudo terminals, hypervisor consoles. Source: Linux, devices.txt. */
const isTerminalMajor = (major: number) =>
  [4, 5, 166, 188, 204, 229].includes(major) || (major >= 136 && major <= 143);

export const systemConsole: Console = {
  out: (content) => writeAll(1, content),
  err: (content) => writeAll(2, content),
  line: readLine,
  isTerminal(descriptor) {
    try {
      const stat = fs().fstatSync(descriptor);
      return stat.isCharacterDevice() && isTerminalMajor((stat.rdev >> 8) & 0xfff);
    } catch {
      return false;
    }
  },
};

/** @throws ClosedPipe when nobody reads any more, Fault `internal` when the output cannot be kept (a full disk) */
function writeAll(descriptor: number, content: string | Uint8Array): void {
  const bytes = typeof content === "string" ? encoder.encode(content) : content;
  let at = 0;
  while (at < bytes.length) {
    try {
      at += fs().writeSync(descriptor, bytes, at, bytes.length - at);
    } catch (thrown) {
      const code = thrown instanceof Error && "code" in thrown ? thrown.code : "";
      if (code === "EBADF") return; // Closed before we started: there is nobody to tell.
      if (code === "EAGAIN") Bun.sleepSync(RETRY_MILLISECONDS);
      else if (code === "EPIPE" || code === "EIO") throw new ClosedPipe("nobody reads the output");
      else throw new Fault("internal", `Cannot write the output: ${sentenceOf(thrown)}`, { cause: thrown });
    }
  }
}

/** Byte by byte: what follows the line is not ours to take. */
function readLine(): string {
  const bytes = new Uint8Array(LONGEST_LINE);
  let length = 0;
  while (length < bytes.length) {
    const byte = readByte(bytes, length);
    if (byte === undefined || byte === LINE_FEED) break;
    length++;
  }
  return new TextDecoder().decode(bytes.subarray(0, length)).replace(/\r$/, "");
}

/** Undefined at the end of the input, and where there is none. */
function readByte(bytes: Uint8Array, at: number): number | undefined {
  for (;;)
    try {
      return fs().readSync(0, bytes, at, 1, null) === 0 ? undefined : bytes[at];
    } catch (thrown) {
      const code = thrown instanceof Error && "code" in thrown ? thrown.code : "";
      if (code === "EBADF" || code === "EIO" || code === "EOF") return undefined;
      if (code !== "EAGAIN")
        throw new Fault("internal", `Cannot read the input: ${sentenceOf(thrown)}`, { cause: thrown });
      Bun.sleepSync(RETRY_MILLISECONDS);
    }
}
