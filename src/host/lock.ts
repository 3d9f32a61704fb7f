import { dlopen, FFIType } from "bun:ffi";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { Fault } from "#errors";
import { processStartTicks } from "./procfs.ts";

/** Source: flock(2). */
const LOCK_EX = 2;
const LOCK_NB = 4;

/** For how long a lock may outlive its holder: a child that it was starting has it until it becomes its program. Milliseconds. */
const ECHO_LIMIT = 2000;
const ECHO_LOOK = 10;

/**
 * Takes a folder for this process alone, by flock on `<path>`, in which the holder's pid stands. The kernel
 * lets go of it however the process ends. Throws `conflict` naming the holder.
 */
export function lockFile(path: string, what: string): Disposable {
  const libc = dlopen("libc.so.6", { flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 } });
  const fd = openSync(path, "a+", 0o600);
  const deadline = Date.now() + ECHO_LIMIT;
  while (libc.symbols.flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    const holder = readFileSync(path, "utf8").trim();
    const isEcho = /^\d+$/.test(holder) && processStartTicks(Number(holder)) === undefined;
    if (isEcho && Date.now() < deadline) {
      Bun.sleepSync(ECHO_LOOK);
      continue;
    }
    closeSync(fd);
    throw new Fault(
      "conflict",
      `Cannot use ${what}: the bunker daemon with pid ${holder || "unknown"} is using it; stop that one or choose another folder`,
    );
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  return { [Symbol.dispose]: () => closeSync(fd) };
}
