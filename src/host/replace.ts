import { dlopen, FFIType, ptr } from "bun:ffi";
import { Fault } from "#errors";

/**
 * Puts another program in this process's place, with the same pid and open files. Source: execve(2).
 * Returns only by throwing `internal`, when the kernel refuses.
 */
export function replaceProcess(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): never {
  const libc = dlopen("libc.so.6", {
    execve: { args: [FFIType.ptr, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  });
  const path = Buffer.from(`${command[0] ?? ""}\0`);
  const args = pointers(command);
  const variables = pointers(Object.entries(environment).map(([name, value]) => `${name}=${value}`));
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
