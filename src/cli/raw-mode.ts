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
  const { symbols } = dlopen("libc.so.6", {
    tcgetattr: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
    tcsetattr: { args: [FFIType.i32, FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
    cfmakeraw: { args: [FFIType.ptr], returns: FFIType.void },
  });
  const before = new Uint8Array(TERMIOS_BYTES);
  if (symbols.tcgetattr(STDIN, ptr(before)) !== 0)
    throw new Fault("internal", "Cannot read the settings of the terminal: standard input is none");
  const raw = before.slice();
  symbols.cfmakeraw(ptr(raw));
  if (symbols.tcsetattr(STDIN, NOW, ptr(raw)) !== 0)
    throw new Fault("internal", "Cannot put the terminal into raw mode");
  return { [Symbol.dispose]: () => void symbols.tcsetattr(STDIN, NOW, ptr(before)) };
}
