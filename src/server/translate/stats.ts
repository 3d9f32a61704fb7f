import { type ContainerStats, type CpuStats, isAtLeast, ZERO_TIME } from "#api";
import type { Jobs } from "#jobs";
import { rfc3339Nano } from "./log.ts";

type Sample = Jobs["container.stats"]["output"] extends AsyncIterable<infer Item> ? Item : never;
type Statistics = NonNullable<Sample["statistics"]>;

const BLKIO_FIELDS = [
  "io_service_bytes_recursive",
  "io_serviced_recursive",
  "io_queue_recursive",
  "io_service_time_recursive",
  "io_wait_time_recursive",
  "io_merged_recursive",
  "io_time_recursive",
  "sectors_recursive",
];

const NO_CPU: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

/** One sample as Docker shows it: clients compute percentages from it and the one before. Empty when stopped. */
export function toContainerStats(
  { id, name, statistics, previous }: Sample,
  version: string,
): ContainerStats {
  return {
    id,
    name: name.startsWith("/") ? name : `/${name}`,
    ...(isAtLeast(version, "1.52") && { os_type: "linux" }),
    read: statistics === undefined ? ZERO_TIME : rfc3339Nano(statistics.readAt),
    preread: previous === undefined ? ZERO_TIME : rfc3339Nano(previous.readAt),
    num_procs: 0,
    pids_stats: {
      ...(statistics?.pidsCurrent !== undefined && { current: statistics.pidsCurrent }),
      ...(statistics?.pidsLimit !== undefined && { limit: statistics.pidsLimit }),
    },
    cpu_stats: toCpu(statistics),
    precpu_stats: toCpu(previous),
    memory_stats: toMemory(statistics),
    blkio_stats: toBlkio(statistics),
    storage_stats: {},
    ...(statistics !== undefined && { networks: statistics.networks }),
  };
}

function toCpu(statistics: Statistics | undefined): CpuStats {
  if (statistics === undefined) return NO_CPU;
  const { throttling } = statistics;
  return {
    cpu_usage: {
      total_usage: statistics.cpuTotal,
      ...(statistics.perCpu.length > 0 && { percpu_usage: [...statistics.perCpu] }),
      usage_in_kernelmode: statistics.cpuSystem,
      usage_in_usermode: statistics.cpuUser,
    },
    system_cpu_usage: statistics.systemCpu,
    online_cpus: statistics.onlineCpus,
    throttling_data: {
      periods: throttling.periods,
      throttled_periods: throttling.throttledPeriods,
      throttled_time: throttling.throttledTime,
    },
  };
}

function toMemory(statistics: Statistics | undefined): ContainerStats["memory_stats"] {
  if (statistics === undefined) return {};
  return {
    ...(statistics.memoryUsage !== undefined && { usage: statistics.memoryUsage }),
    ...(statistics.memoryMaxUsage !== undefined && { max_usage: statistics.memoryMaxUsage }),
    ...(statistics.memoryFailures !== undefined && { failcnt: statistics.memoryFailures }),
    ...(statistics.memoryLimit !== undefined && { limit: statistics.memoryLimit }),
    stats: statistics.memory,
  };
}

function toBlkio(statistics: Statistics | undefined): ContainerStats["blkio_stats"] {
  const stats: ContainerStats["blkio_stats"] = Object.fromEntries(BLKIO_FIELDS.map((field) => [field, null]));
  if (statistics === undefined) return stats;
  const rows = (value: "bytes" | "operations") =>
    statistics.blkio.map((row) => ({ major: row.major, minor: row.minor, op: row.op, value: row[value] }));
  return {
    ...stats,
    io_service_bytes_recursive: rows("bytes"),
    io_serviced_recursive: rows("operations"),
  };
}
