import { dlopen, read } from "bun:ffi";
import { closeSync, constants, openSync } from "node:fs";
import { Fault } from "#errors";
import { errnoName } from "./syscalls.ts";

/** Source: setns(2). */
const CLONE_NEWNET = 0x40000000;
const OWN_NAMESPACE = "/proc/thread-self/ns/net";

function openLibrary() {
  return dlopen("libc.so.6", {
    __errno_location: { args: [], returns: "ptr" },
    setns: { args: ["i32", "i32"], returns: "i32" },
  }).symbols;
}

/**
 * A thread that starts while this one is away is born there and keeps the namespace from ending. Those that collect
 * garbage start at the first great collection: so one is made before.
 */
function prepare(): ReturnType<typeof openLibrary> {
  Bun.gc(true);
  return openLibrary();
}

let library: ReturnType<typeof openLibrary> | undefined;
let home: number | undefined;
let isAway = false;

/**
 * Does synchronous work in the network namespace at `path` (`/proc/PID/ns/net`): a socket belongs for good to the
 * namespace in which it was made, and can be used and polled from anywhere afterwards. Other threads stay where they
 * are. Throws `not_found` when the namespace has ended. A process that cannot come back ends: everything else
 * it would do on the network would happen in the wrong place.
 */
export function inNetworkNamespace<Result>(path: string, work: () => Result): Result {
  if (isAway) throw new Fault("internal", `Cannot enter the network namespace ${path}: another is entered`);
  library ??= prepare();
  home ??= openSync(OWN_NAMESPACE, constants.O_RDONLY);
  enter(library, path);
  isAway = true;
  try {
    return work();
  } finally {
    comeBack(library, home);
    isAway = false;
  }
}

function enter(calls: ReturnType<typeof openLibrary>, path: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY);
  } catch (cause) {
    throw new Fault("not_found", `Cannot enter the network namespace ${path}: it has ended`, { cause });
  }
  const errno = calls.setns(descriptor, CLONE_NEWNET) === 0 ? 0 : errnoOf(calls);
  closeSync(descriptor);
  if (errno !== 0)
    throw new Fault("internal", `Cannot enter the network namespace ${path}: ${errnoName(errno)}`);
}

function comeBack(calls: ReturnType<typeof openLibrary>, descriptor: number): void {
  if (calls.setns(descriptor, CLONE_NEWNET) === 0) return;
  process.stderr.write(`Cannot come back from a network namespace: ${errnoName(errnoOf(calls))}\n`);
  process.abort();
}

function errnoOf(calls: ReturnType<typeof openLibrary>): number {
  const errno = calls.__errno_location();
  return errno === null ? 0 : read.i32(errno, 0);
}
