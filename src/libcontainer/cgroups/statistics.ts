/** What a group's own files tell; the rest of `Statistics` is the host's and the network namespace's. */
export interface GroupStatistics {
  readonly cpuTotal: bigint;
  readonly cpuUser: bigint;
  readonly cpuSystem: bigint;
  readonly perCpu: readonly bigint[];
  readonly throttling: {
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledTime: bigint;
  };
  readonly memoryUsage?: number;
  readonly memoryMaxUsage?: number;
  readonly memoryFailures?: number;
  readonly memoryLimit?: number;
  readonly memory: Readonly<Record<string, number>>;
  readonly pidsCurrent?: number;
  readonly pidsLimit?: number;
  readonly blkio: readonly BlockCount[];
}

export interface BlockCount {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly bytes: number;
  readonly operations: number;
}

/** Lines of `name number`, as memory.stat, cpu.stat and memory.events have them. */
export function parseFlat(text: string | undefined): ReadonlyMap<string, bigint> {
  const values = new Map<string, bigint>();
  for (const line of (text ?? "").split("\n")) {
    const [name = "", value = ""] = line.split(" ");
    if (/^[0-9]+$/.test(value)) values.set(name, BigInt(value));
  }
  return values;
}

/** A number of a file with nothing else in it; undefined for `max`, for -1 and for a file that is not there. */
export function parseCount(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]+$/.test(text) ? Number(text) : undefined;
}

/** Of the text of /proc/stat, summed over user to softirq: nanoseconds, and how many processors run. Source: proc_stat(5). */
export function parseHostCpu(stat: string): { readonly systemCpu: bigint; readonly onlineCpus: number } {
  const [, ...ticks] = (/^cpu .*$/m.exec(stat)?.[0] ?? "").split(/\s+/);
  const total = ticks.slice(0, 7).reduce((sum, tick) => sum + BigInt(tick), 0n);
  return { systemCpu: total * NANOSECONDS_PER_TICK, onlineCpus: stat.match(/^cpu[0-9]+ /gm)?.length ?? 0 };
}

/** USER_HZ is 100 on every architecture that bunker runs on. */
const NANOSECONDS_PER_TICK = 10_000_000n;

/** The columns of /proc/PID/net/dev that Docker reports. Source: proc_pid_net(5). */
const RECEIVED = { rx_bytes: 0, rx_packets: 1, rx_errors: 2, rx_dropped: 3 } as const;
const SENT = { tx_bytes: 8, tx_packets: 9, tx_errors: 10, tx_dropped: 11 } as const;

/** Counters of every interface but the loopback. */
export function parseNetworkCounters(
  text: string,
): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const networks: Record<string, Record<string, number>> = {};
  for (const line of text.split("\n")) {
    const [, name, counters = ""] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || name === "lo") continue;
    const values = counters.trim().split(/\s+/).map(Number);
    networks[name] = Object.fromEntries(
      Object.entries({ ...RECEIVED, ...SENT }).map(([key, column]) => [key, values[column] ?? 0]),
    );
  }
  return networks;
}
