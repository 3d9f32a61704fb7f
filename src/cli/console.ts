import { Fault, sentenceOf } from "#errors";
import { fs } from "./lazy-fs.ts";
import { Outlet } from "./outlet.ts";

export { ClosedPipe } from "./outlet.ts";

/** Where a command's text goes. Written directly: loading process.stdout costs more than the rest of a short command. */
export interface Console {
  out(content: string | Uint8Array): void;
  err(content: string | Uint8Array): void;
  /** While something waits for its reader: whoever has more is to wait as well. Rejects as `out` and `err` throw. */
  busy(): Promise<void> | undefined;
  /** Resolves when everything is where it goes. Throws as `out` and `err` do. */
  settled(): Promise<void>;
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

const [output, errors] = [new Outlet(1), new Outlet(2)];
const bytesOf = (content: string | Uint8Array) =>
  typeof content === "string" ? encoder.encode(content) : content;

export const systemConsole: Console = {
  out: (content) => output.write(bytesOf(content)),
  err: (content) => errors.write(bytesOf(content)),
  busy: () => output.busy ?? errors.busy,
  async settled() {
    await output.settled();
    await errors.settled();
  },
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
