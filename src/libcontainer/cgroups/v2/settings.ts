import type { BlkioDevice, Resources } from "../../spec.ts";
import { pidsMax, type Setting } from "../v1/settings.ts";

const IO_KEYS: Readonly<Record<Exclude<BlkioDevice["kind"], "weight">, string>> = {
  "read-bps": "rbps",
  "write-bps": "wbps",
  "read-iops": "riops",
  "write-iops": "wiops",
};

/** What to write for these resources into a v2 group. Source: Linux, Documentation/admin-guide/cgroup-v2.rst. */
export function settings(resources: Resources): readonly Setting[] {
  return [
    ...one("memory.max", limit(resources.memoryBytes)),
    ...one("memory.swap.max", swapMax(resources), true),
    ...one("memory.low", resources.memoryReservationBytes),
    ...one("cpu.weight", resources.cpuShares === undefined ? undefined : cpuWeight(resources.cpuShares)),
    ...one("cpu.max", cpuMax(resources)),
    ...one("cpuset.cpus", resources.cpusetCpus || undefined),
    ...one("cpuset.mems", resources.cpusetMems || undefined),
    ...one("pids.max", pidsMax(resources.pidsLimit)),
    ...io(resources),
  ];
}

const limit = (bytes: number | undefined) => (bytes !== undefined && bytes < 0 ? "max" : bytes);

/** Docker counts memory and swap together, the kernel swap alone. */
function swapMax({ memoryBytes, memorySwapBytes }: Resources): number | "max" | undefined {
  if (memorySwapBytes === undefined) return undefined;
  if (memorySwapBytes < 0) return "max";
  if (memoryBytes === undefined || memoryBytes < 0) return undefined;
  return Math.max(0, memorySwapBytes - memoryBytes);
}

/**
 * v1 shares (2 to 262144, default 1024) as a v2 weight (1 to 10000, default 100): the quadratic in log2 that meets
 * both ends and the default, where a straight line would give the default share a weight of 39.
 */
export function cpuWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

function cpuMax({
  cpuQuotaMicroseconds: quota,
  cpuPeriodMicroseconds: period,
}: Resources): string | undefined {
  if (quota === undefined && period === undefined) return undefined;
  const share = quota !== undefined && quota > 0 ? String(quota) : "max";
  return period === undefined ? share : `${share} ${period}`;
}

/** Docker's weight of 10 to 1000 on the kernel's scale of 1 to 10000. */
export function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}

function io(resources: Resources): readonly Setting[] {
  const weight = resources.blkioWeight;
  const devices = resources.blkioDevices ?? [];
  return [
    ...one("io.bfq.weight", weight, true),
    ...one("io.weight", weight === undefined ? undefined : `default ${ioWeight(weight)}`, true),
    ...devices.flatMap(({ major, minor, kind, value }) =>
      kind === "weight"
        ? one("io.bfq.weight", `${major}:${minor} ${value}`, true)
        : one("io.max", `${major}:${minor} ${IO_KEYS[kind]}=${value > 0 ? value : "max"}`),
    ),
  ];
}

function one(file: string, value: number | string | undefined, isOptional = false): Setting[] {
  if (value === undefined) return [];
  return [{ controller: "", file, value: String(value), ...(isOptional ? { isOptional } : {}) }];
}
