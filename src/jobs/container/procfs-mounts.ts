import { statfsSync } from "node:fs";
import type { MountPoint } from "#container";
import { Fault } from "#errors";

/** Source: statfs(2), PROC_SUPER_MAGIC. */
const PROC_SUPER_MAGIC = 0x9fa0;
/** What says how big and how busy the machine is, which lxcfs and the like tell of a container's own. Source: runc. */
const REPLACEABLE = new Set(
  `cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo net/dev sys/kernel/ns_last_pid
   sys/crypto/fips_enabled`
    .split(/\s+/)
    .map((name) => `/proc/${name}`),
);

/** Nothing but another procfs takes the place of procfs, nor of what is in it. Throws `invalid` in runc's words. */
export function checkOverProcfs({ type, source, destination }: MountPoint): void {
  const refuse = (why: string) =>
    new Fault("invalid", `${JSON.stringify(destination.slice(0, 512))} cannot be mounted because it ${why}`);
  if (destination === "/proc" && !(type === "bind" && isProcfs(source))) throw refuse("is not of type proc");
  if (destination.startsWith("/proc/") && !REPLACEABLE.has(destination)) throw refuse("is inside /proc");
}

function isProcfs(path: string): boolean {
  try {
    return statfsSync(path).type === PROC_SUPER_MAGIC;
  } catch {
    return false;
  }
}
