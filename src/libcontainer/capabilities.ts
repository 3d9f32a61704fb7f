import { readFileSync } from "node:fs";
import { didYouMean, Fault } from "#errors";
import type { Capability } from "./plan.ts";

/** In the order of their numbers. Source: Linux, include/uapi/linux/capability.h. */
export const CAPABILITIES = (
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE " +
  "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN " +
  "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE " +
  "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
  .split(" ")
  .map((name): Capability => `CAP_${name}`);

/** Docker's fourteen: mask 00000000a80425fb. */
export const DEFAULT_CAPABILITIES: readonly Capability[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

const NUMBERS: ReadonlyMap<string, number> = new Map(CAPABILITIES.map((name, number) => [name, number]));

const SHORT_NAMES = ["ALL", ...CAPABILITIES.map((name) => name.slice("CAP_".length))];

/** The kernel's name for what a person wrote: any case, with or without `CAP_`; `ALL` stays. Throws `invalid` naming the unknown. */
export function capabilityNamed(word: string): Capability | "ALL" {
  const upper = word.trim().toUpperCase();
  if (upper === "ALL" || upper === "CAP_ALL") return "ALL";
  const name: Capability = upper.startsWith("CAP_") ? (upper as Capability) : `CAP_${upper}`;
  if (!NUMBERS.has(name))
    throw new Fault(
      "invalid",
      `invalid capability: unknown capability "${word}", see capabilities(7) for the names${didYouMean(upper.replace(/^CAP_/, ""), SHORT_NAMES)}`,
    );
  return name;
}

/**
 * What a container has: the default, less what is dropped, plus what is added. `ALL` in `add` is everything less
 * what is dropped by name; otherwise `ALL` in `drop` leaves only what is added. The same precedence as Docker's.
 */
export function containerCapabilities(request: {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly privileged: boolean;
}): readonly Capability[] {
  const add = request.add.map(capabilityNamed);
  const drop = request.drop.map(capabilityNamed);
  if (request.privileged) return CAPABILITIES;
  if (add.includes("ALL")) return CAPABILITIES.filter((name) => !drop.includes(name));
  const base = drop.includes("ALL") ? [] : DEFAULT_CAPABILITIES.filter((name) => !drop.includes(name));
  return [...new Set([...base, ...add.filter((name): name is Capability => name !== "ALL")])];
}

/** Bit n stands for capability n. */
export function capabilityMask(names: readonly Capability[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(NUMBERS.get(name) ?? 63)), 0n) & ~(1n << 63n);
}

/** The names of a mask's bits, in the kernel's order. */
export function capabilitiesOf(mask: bigint): readonly Capability[] {
  return CAPABILITIES.filter((_, number) => (mask >> BigInt(number)) & 1n);
}

/** The bounding set of a process from the text of /proc/PID/status; 0 when the line is missing. Source: proc(5). */
export function boundingSet(status: string): bigint {
  const digits = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return digits === undefined ? 0n : BigInt(`0x${digits}`);
}

let hostSet: bigint | undefined;

/** What this process may hand on: its bounding set, read once, for nothing ever adds to it. */
export function hostCapabilities(): bigint {
  hostSet ??= boundingSet(readFileSync("/proc/self/status", "utf8"));
  return hostSet;
}
