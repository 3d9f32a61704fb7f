import type { BlkioDevice, Resources } from "../../spec.ts";

/** One value for one file of a group. `isOptional`: kernels may lack the file, and Docker then goes without. */
export interface Setting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  readonly isOptional?: boolean;
}

const THROTTLE_FILES: Readonly<Record<BlkioDevice["kind"], string>> = {
  weight: "blkio.bfq.weight_device",
  "read-bps": "blkio.throttle.read_bps_device",
  "write-bps": "blkio.throttle.write_bps_device",
  "read-iops": "blkio.throttle.read_iops_device",
  "write-iops": "blkio.throttle.write_iops_device",
};

/**
 * What to write for these resources into a new group, in the order in which the kernel takes it: memory before
 * memory with swap (which may never be less), period before quota. Source: Linux, Documentation/admin-guide/cgroup-v1.
 */
export function settings(resources: Resources): readonly Setting[] {
  return [
    ...memory(resources),
    ...cpu(resources),
    ...one("cpuset", "cpuset.cpus", resources.cpusetCpus || undefined),
    ...one("cpuset", "cpuset.mems", resources.cpusetMems || undefined),
    ...one("pids", "pids.max", pidsMax(resources.pidsLimit)),
    ...blkio(resources),
  ];
}

function memory(resources: Resources): readonly Setting[] {
  return [
    ...one("memory", "memory.limit_in_bytes", resources.memoryBytes),
    ...one("memory", "memory.memsw.limit_in_bytes", resources.memorySwapBytes, true),
    ...one("memory", "memory.soft_limit_in_bytes", resources.memoryReservationBytes),
    ...one("memory", "memory.swappiness", resources.memorySwappiness),
    ...one("memory", "memory.oom_control", resources.oomKillDisable ? 1 : undefined),
  ];
}

function cpu(resources: Resources): readonly Setting[] {
  return [
    ...one("cpu", "cpu.shares", resources.cpuShares),
    ...one("cpu", "cpu.cfs_period_us", resources.cpuPeriodMicroseconds),
    ...one("cpu", "cpu.cfs_quota_us", resources.cpuQuotaMicroseconds),
  ];
}

function blkio(resources: Resources): readonly Setting[] {
  const devices = resources.blkioDevices ?? [];
  return [
    ...one("blkio", "blkio.weight", resources.blkioWeight, true),
    ...one("blkio", "blkio.bfq.weight", resources.blkioWeight, true),
    ...devices.map(
      (device): Setting => ({
        controller: "blkio",
        file: THROTTLE_FILES[device.kind],
        value: `${device.major}:${device.minor} ${device.value}`,
        ...(device.kind === "weight" ? { isOptional: true } : {}),
      }),
    ),
  ];
}

/** The kernel's word for no limit is `max`. */
export function pidsMax(limit: number | undefined): string | undefined {
  if (limit === undefined) return undefined;
  return limit > 0 ? String(limit) : "max";
}

function one(
  controller: string,
  file: string,
  value: number | string | undefined,
  isOptional = false,
): Setting[] {
  if (value === undefined) return [];
  return [{ controller, file, value: String(value), ...(isOptional ? { isOptional } : {}) }];
}
