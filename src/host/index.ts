/**
 * Owns every touch of the machine that is not a container: host programs, system calls, procfs.
 * Refuses to know what any of it is for.
 * Called by every room below `jobs` that needs the machine.
 */

export { type FlowFilter, forgetFlows, type TrackedFlow } from "./conntrack.ts";
export * from "./files.ts";
export * from "./links.ts";
export { lockFile } from "./lock.ts";
export { type AdjustableLog, createLog, type Log, type LogLevel } from "./log.ts";
export { attachLoop } from "./loop.ts";
export { Quiet, releaseMemory } from "./memory.ts";
export * from "./mount.ts";
export * from "./netlink.ts";
export * from "./netlink-message.ts";
export { inNetworkNamespace } from "./network-namespace.ts";
export { endWithParent, sealedMemoryFile, signalProcess } from "./process.ts";
export { isAlive, processStartTicks } from "./procfs.ts";
export * from "./project-quota.ts";
export { readonlyView } from "./readonly-view.ts";
export { replaceProcess } from "./replace.ts";
export { selfCommand } from "./self.ts";
export { type BoundSocket, listBoundSockets } from "./socket-list.ts";
export { describeSocket, type HostPort, RawSocket, sendDatagram, tryBind, widenSocket } from "./sockets.ts";
export { findProgram, type ProgramResult, type RunOptions, run, stream, tryRun } from "./spawn.ts";
export { type FileLook, lookAtName, lookAtOpen } from "./stat.ts";
export * from "./subordinate-ids.ts";
export * from "./syscalls.ts";
export { readSysctl, writeSysctl } from "./sysctl.ts";
