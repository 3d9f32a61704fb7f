import type { StatsSample } from "#client";

export interface Figures {
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly limitBytes: number;
  readonly memoryPercent: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly pids: number;
}

/** What a sample says in figures for people. Source: docker stats reference: a client computes percentages by itself. */
export function figuresOf(sample: StatsSample): Figures {
  const memoryBytes = memoryOf(sample);
  const limitBytes = sample.memory_stats?.limit ?? 0;
  const networks = Object.values(sample.networks ?? {});
  const blocks = sample.blkio_stats?.io_service_bytes_recursive ?? [];
  const moved = (letter: string) =>
    blocks.filter(({ op }) => op.toLowerCase().startsWith(letter)).reduce((sum, { value }) => sum + value, 0);
  return {
    cpuPercent: cpuOf(sample),
    memoryBytes,
    limitBytes,
    memoryPercent: limitBytes > 0 ? (memoryBytes / limitBytes) * 100 : 0,
    receivedBytes: networks.reduce((sum, { rx_bytes = 0 }) => sum + rx_bytes, 0),
    sentBytes: networks.reduce((sum, { tx_bytes = 0 }) => sum + tx_bytes, 0),
    readBytes: moved("r"),
    writtenBytes: moved("w"),
    pids: sample.pids_stats?.current ?? 0,
  };
}

/** Of one CPU: two busy ones are 200 %. */
function cpuOf({ cpu_stats: now, precpu_stats: before }: StatsSample): number {
  const used = (now?.cpu_usage?.total_usage ?? 0) - (before?.cpu_usage?.total_usage ?? 0);
  const passed = (now?.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
  const cpus = now?.online_cpus || now?.cpu_usage?.percpu_usage?.length || 1;
  return used > 0 && passed > 0 ? (used / passed) * cpus * 100 : 0;
}

/** Page cache that could be dropped at once is not counted as used: `total_inactive_file` on cgroup v1, `inactive_file` on v2. */
function memoryOf({ memory_stats: memory }: StatsSample): number {
  const usage = memory?.usage ?? 0;
  const idle = memory?.stats?.total_inactive_file ?? memory?.stats?.inactive_file ?? 0;
  return idle < usage ? usage - idle : usage;
}
