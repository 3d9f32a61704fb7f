import { dlopen, FFIType, ptr } from "bun:ffi";
import { readdirSync, readlinkSync } from "node:fs";
import { Fault } from "#errors";

/** Source: fcntl(2). */
const F_SETFD = 2;
const FIRST_OF_OTHERS = 3;

/**
 * Puts another program in this process's place, with the same pid and with what it was started with: the standard
 * streams, sockets and locks that somebody has handed down. The environment is bytes, each a character. Source:
 * execve(2). Returns only by throwing `internal`, when the kernel refuses.
 */
export function replaceProcess(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): never {
  const libc = dlopen("libc.so.6", {
    fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    execve: { args: [FFIType.ptr, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  });
  const path = Buffer.from(`${command[0] ?? ""}\0`);
  const args = pointers(command.map((word) => Buffer.from(`${word}\0`)));
  const texts = Object.entries(environment).map(([name, value]) => `${name}=${value}\0`);
  const variables = pointers(texts.map((text) => Buffer.from(text, "latin1")));
  for (const descriptor of handedDown()) libc.symbols.fcntl(descriptor, F_SETFD, 0);
  libc.symbols.execve(ptr(path), ptr(args.table), ptr(variables.table));
  throw new Fault(
    "internal",
    `Cannot start ${command[0]} in place of this process (${args.kept.length} words)`,
  );
}

/** The runtime closes at an exec what it finds at its own start; what it opens itself has no name, or is this program. */
function handedDown(): readonly number[] {
  return readdirSync("/proc/self/fd").flatMap((name) => {
    const descriptor = Number(name);
    if (descriptor < FIRST_OF_OTHERS) return [];
    try {
      const what = readlinkSync(`/proc/self/fd/${name}`);
      return what.startsWith("anon_inode:") || what === process.execPath ? [] : [descriptor];
    } catch {
      return []; // That of the folder itself.
    }
  });
}

/** A table of pointers that ends with a null one, and the texts it points to, which must outlive it. */
function pointers(kept: readonly Buffer[]): {
  readonly table: BigUint64Array;
  readonly kept: readonly Buffer[];
} {
  return { table: BigUint64Array.from([...kept.map((text) => BigInt(ptr(text))), 0n]), kept };
}
