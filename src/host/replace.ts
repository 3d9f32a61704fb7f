import { dlopen, FFIType, ptr } from "bun:ffi";
import { Fault } from "#errors";

/** Source: fcntl(2). */
const F_SETFD = 2;

/**
 * Puts another program in this process's place, with the same pid, the standard streams and the descriptors that are
 * `inherited`. Source: execve(2).
 * Returns only by throwing `internal`, when the kernel refuses.
 */
export function replaceProcess(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  inherited: readonly number[] = [],
): never {
  const libc = dlopen("libc.so.6", {
    fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    execve: { args: [FFIType.ptr, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  });
  const path = Buffer.from(`${command[0] ?? ""}\0`);
  const args = pointers(command);
  const variables = pointers(Object.entries(environment).map(([name, value]) => `${name}=${value}`));
  for (const descriptor of inherited) libc.symbols.fcntl(descriptor, F_SETFD, 0);
  libc.symbols.execve(ptr(path), ptr(args.table), ptr(variables.table));
  throw new Fault(
    "internal",
    `Cannot start ${command[0]} in place of this process (${args.kept.length} words)`,
  );
}

/** A table of pointers that ends with a null one, and the texts it points to, which must outlive it. */
function pointers(texts: readonly string[]): {
  readonly table: BigUint64Array;
  readonly kept: readonly Buffer[];
} {
  const kept = texts.map((text) => Buffer.from(`${text}\0`));
  return { table: BigUint64Array.from([...kept.map((text) => BigInt(ptr(text))), 0n]), kept };
}
