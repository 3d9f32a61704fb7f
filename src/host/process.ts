import { ptr as addressOf, dlopen, FFIType, read } from "bun:ffi";
import { constants } from "node:os";
import { Fault } from "#errors";
import { processStartTicks } from "./procfs.ts";
import { close, errnoName, must, write } from "./syscalls.ts";

/** Source: the kernel's tables of system calls; the same number on every architecture since 5.1. */
const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;
/** Source: memfd_create(2), fcntl(2), prctl(2). */
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
const ALL_SEALS = 0xf;

let loaded: ReturnType<typeof load> | undefined;

function load() {
  const { symbols } = dlopen("libc.so.6", {
    __errno_location: { args: [], returns: "ptr" },
    memfd_create: { args: ["ptr", "u32"], returns: "i32" },
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    fcntl: { args: ["i32", "i32", "i64"], returns: "i32" },
    syscall: { args: ["i64", "i64", "i64", "ptr", "u64"], returns: FFIType.i64_fast },
  });
  return symbols;
}

function call(result: number | bigint): number {
  loaded ??= load();
  const address = loaded.__errno_location();
  return Number(result) === -1 && address !== null ? -read.i32(address, 0) : Number(result);
}

/**
 * From now on this process is killed when the one that started it ends, however it does. Throws `cancelled` when it
 * has already.
 */
export function endWithParent(parent: number): void {
  loaded ??= load();
  must(
    call(loaded.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)),
    "be ended with the process that started this one",
  );
  if (process.ppid !== parent) throw new Fault("cancelled", "The process that started this one has ended");
}

/**
 * Sends a signal to the process that has this pid and start time, and to no later owner of the pid: it is held by
 * descriptor before its time is compared. False when that process has ended. `signal` 0 asks only.
 */
export function signalProcess(pid: number, startTicks: string, signal: number): boolean {
  loaded ??= load();
  const descriptor = call(loaded.syscall(PIDFD_OPEN, pid, 0, null, 0));
  if (descriptor < 0) return false;
  try {
    if (processStartTicks(pid) !== startTicks) return false;
    const sent = call(loaded.syscall(PIDFD_SEND_SIGNAL, descriptor, signal, null, 0));
    if (sent === -constants.errno.ESRCH) return false;
    if (sent < 0)
      throw new Fault("internal", `Cannot send signal ${signal} to process ${pid}: ${errnoName(sent)}`);
    return true;
  } finally {
    close(descriptor);
  }
}

/**
 * A file in memory that holds `content` and that nobody can change any more, not even through /proc; it ends with
 * its last descriptor, which is returned. Throws `internal` where the kernel gives none. Source: memfd_create(2).
 */
export function sealedMemoryFile(name: string, content: Uint8Array): number {
  loaded ??= load();
  const label = Buffer.from(`${name}\0`);
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  // Kernels before 6.3 know no MFD_EXEC, and need none.
  let descriptor = call(loaded.memfd_create(addressOf(label), flags | MFD_EXEC));
  if (descriptor === -constants.errno.EINVAL) descriptor = call(loaded.memfd_create(addressOf(label), flags));
  must(descriptor, `make ${name} in memory`);
  try {
    for (let done = 0; done < content.byteLength; )
      done += must(write(descriptor, content.subarray(done)), `write ${name} to memory`);
    must(call(loaded.fcntl(descriptor, F_ADD_SEALS, ALL_SEALS)), `seal ${name}`);
    return descriptor;
  } catch (thrown) {
    close(descriptor);
    throw thrown;
  }
}
