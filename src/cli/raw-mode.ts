import { dlopen, FFIType, ptr } from "bun:ffi";
import { Fault } from "#errors";

/** Larger than struct termios of any C library. */
const TERMIOS_BYTES = 256;
const NOW = 0;
const STDIN = 0;

/**
 * Takes every key as it is typed and leaves output as it comes, until `dispose`. Node's raw mode still turns line feeds of
 * the output into two characters, which garbles programs that draw.
 * Source: termios(3), cfmakeraw.
 */
export function enterRawMode(): Disposable {
  return changeTerminal((settings, { cfmakeraw }) => cfmakeraw(ptr(settings)));
}

/** Offset of `c_lflag` in struct termios, and in it the bit of echo. Source: Linux, asm-generic/termbits.h. */
const LOCAL_FLAGS = 12;
const ECHO = 0o10;

/** What is typed does not show, until `dispose`; lines are lines still. */
export function silenceTerminal(): Disposable {
  return changeTerminal((settings) => {
    settings[LOCAL_FLAGS] = (settings[LOCAL_FLAGS] ?? 0) & ~ECHO;
  });
}

function changeTerminal(
  change: (settings: Uint8Array, calls: { cfmakeraw(settings: ReturnType<typeof ptr>): void }) => void,
): Disposable {
  const { symbols } = dlopen("libc.so.6", {
    tcgetattr: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
    tcsetattr: { args: [FFIType.i32, FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
    cfmakeraw: { args: [FFIType.ptr], returns: FFIType.void },
  });
  const before = new Uint8Array(TERMIOS_BYTES);
  if (symbols.tcgetattr(STDIN, ptr(before)) !== 0)
    throw new Fault("internal", "Cannot read the settings of the terminal: standard input is none");
  const after = before.slice();
  change(after, symbols);
  if (symbols.tcsetattr(STDIN, NOW, ptr(after)) !== 0)
    throw new Fault("internal", "Cannot change the settings of the terminal");
  return { [Symbol.dispose]: () => void symbols.tcsetattr(STDIN, NOW, ptr(before)) };
}
