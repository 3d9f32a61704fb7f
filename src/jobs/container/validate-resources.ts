import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import type { HostSpec, ResourceSpec } from "#container";
import { Fault } from "#errors";
import type { Cgroups } from "#libcontainer";

const MINIMUM_MEMORY = 6 * 1024 * 1024;
const NANO = 1_000_000_000;

const invalid = (message: string): never => {
  throw new Fault("invalid", message);
};

/** Docker's checks in Docker's words; what this host's kernel cannot do comes back as sentences. */
export function resourceWarnings({ resources }: HostSpec, cgroups: Cgroups): readonly string[] {
  checkMemory(resources);
  checkCpu(resources);
  checkCpuSets(resources);
  checkBlkio(resources);
  return cgroups.version === 0
    ? without(resources)
    : [...memoryWarnings(resources, cgroups), ...ioWarnings(resources)];
}

function checkMemory(asked: ResourceSpec): void {
  const { memory = 0, memorySwap = 0, memoryReservation = 0, memorySwappiness = -1 } = asked;
  if (memory !== 0 && memory < MINIMUM_MEMORY) invalid("Minimum memory limit allowed is 6MB");
  if (memory > 0 && memorySwap > 0 && memorySwap < memory)
    invalid("Minimum memoryswap limit should be larger than memory limit, see usage");
  if (memorySwap < -1) invalid("Invalid memory swap limit: it is a number of bytes, or -1 for no limit");
  if (memory === 0 && memorySwap > 0)
    invalid("You should always set the Memory limit when using Memoryswap limit, see usage");
  if (memorySwappiness < -1 || memorySwappiness > 100)
    invalid(`Invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`);
  if (memoryReservation !== 0 && memoryReservation < MINIMUM_MEMORY)
    invalid("Minimum memory reservation allowed is 6MB");
  if (memory > 0 && memoryReservation > memory)
    invalid("Minimum memory limit can not be less than memory reservation limit, see usage");
}

function checkCpu(asked: ResourceSpec): void {
  const { nanoCpus = 0, cpuPeriod = 0, cpuQuota = 0, cpuShares = 0 } = asked;
  const count = cpus().length || availableParallelism();
  if (nanoCpus !== 0 && cpuPeriod !== 0)
    invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  if (nanoCpus !== 0 && cpuQuota !== 0)
    invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  if (nanoCpus < 0 || nanoCpus > count * NANO)
    invalid(`Range of CPUs is from 0.01 to ${count}.00, as there are only ${count} CPUs available`);
  if (cpuShares < 0) invalid(`invalid CPU shares (${cpuShares}): value must be a positive integer`);
  if (cpuPeriod !== 0 && (cpuPeriod < 1000 || cpuPeriod > 1_000_000))
    invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  if (cpuQuota > 0 && cpuQuota < 1000) invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)");
}

function checkCpuSets({ cpusetCpus = "", cpusetMems = "" }: ResourceSpec): void {
  checkSet(cpusetCpus, { what: "cpus", title: "CPUs", online: "/sys/devices/system/cpu/online" });
  checkSet(cpusetMems, { what: "mems", title: "memory nodes", online: "/sys/devices/system/node/online" });
}

function checkSet(
  list: string,
  set: { readonly what: string; readonly title: string; readonly online: string },
): void {
  if (list === "") return;
  const wanted = parseSet(list) ?? invalid(`Invalid value ${list.slice(0, 64)} for cpuset ${set.what}`);
  if (!existsSync(set.online)) return;
  const text = readFileSync(set.online, "utf8").trim();
  const available = parseSet(text) ?? new Set();
  if ([...wanted].some((number) => !available.has(number)))
    invalid(`Requested ${set.title} are not available - requested ${list.slice(0, 64)}, available: ${text}`);
}

/** More processors than any kernel has. */
const GREATEST_CPU = 8192;

/** `0-3,6` as numbers; undefined when it is malformed. Source: cpuset(7), "List format". */
export function parseSet(text: string): ReadonlySet<number> | undefined {
  const numbers = new Set<number>();
  for (const part of text.split(",")) {
    const [, first, last = first] = /^([0-9]{1,4})(?:-([0-9]{1,4}))?$/.exec(part) ?? [];
    if (first === undefined || Number(last) < Number(first) || Number(last) > GREATEST_CPU) return undefined;
    for (let number = Number(first); number <= Number(last); number += 1) numbers.add(number);
  }
  return numbers;
}

function checkBlkio(asked: ResourceSpec): void {
  const { blkioWeight = 0, blkioWeightDevice = [] } = asked;
  if (blkioWeight !== 0 && (blkioWeight < 10 || blkioWeight > 1000))
    invalid("Range of blkio weight is from 10 to 1000");
  for (const { path, value } of blkioWeightDevice)
    if (value !== 0 && (value < 10 || value > 1000))
      invalid(`Range of blkio weight is from 10 to 1000, not ${value} for ${path.slice(0, 200)}`);
  for (const list of [
    asked.blkioDeviceReadBps,
    asked.blkioDeviceWriteBps,
    asked.blkioDeviceReadIops,
    asked.blkioDeviceWriteIops,
  ])
    for (const { path, value } of list ?? [])
      if (!path.startsWith("/") || value < 0)
        invalid(`Invalid limit ${value} for the device ${path.slice(0, 200)}`);
}

function memoryWarnings(asked: ResourceSpec, cgroups: Cgroups): readonly string[] {
  const { memory = 0, memorySwap = 0, memorySwappiness = -1, oomKillDisable = false } = asked;
  const isV2 = cgroups.version === 2;
  const found: string[] = [];
  if (isV2 && memorySwappiness >= 0)
    found.push(
      "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.",
    );
  if (isV2 && oomKillDisable)
    found.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.");
  if (!isV2 && oomKillDisable && memory === 0)
    found.push(
      "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
    );
  if (memory > 0 && memorySwap !== -1 && !hasSwapLimit(cgroups))
    found.push(
      "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.",
    );
  return found;
}

/** The file is there on every v1 group when the kernel counts swap; on v2 only below the root. */
export function hasSwapLimit(cgroups: Cgroups): boolean {
  if (cgroups.version === 2) return existsSync("/proc/swaps");
  const memory =
    cgroups.version === 1
      ? cgroups.hierarchies.find(({ controllers }) => controllers.includes("memory"))
      : undefined;
  return memory !== undefined && existsSync(`${memory.mountpoint}/memory.memsw.limit_in_bytes`);
}

/** Weights need the BFQ scheduler on the disk. */
function ioWarnings({ blkioWeight = 0, blkioWeightDevice = [] }: ResourceSpec): readonly string[] {
  const isAsked = blkioWeight !== 0 || blkioWeightDevice.length > 0;
  return isAsked && !hasWeights()
    ? ["Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded."]
    : [];
}

/** As a module of the kernel's, or among the schedulers that a disk may have. */
function hasWeights(): boolean {
  if (existsSync("/sys/module/bfq")) return true;
  const lists = new Bun.Glob("*/queue/scheduler").scanSync({ cwd: "/sys/block", followSymlinks: true });
  return [...lists].some((path) => /\bbfq\b/.test(readFileSync(`/sys/block/${path}`, "utf8")));
}

function without(asked: ResourceSpec): readonly string[] {
  const isAnything = Object.values(asked).some(
    (value) => value !== undefined && value !== 0 && value !== "" && value !== -1,
  );
  return isAnything ? ["No control groups are mounted on this host. Limits discarded."] : [];
}
