import { tryReadSetting } from "../files.ts";
import { type BlockCount, type GroupStatistics, parseCount, parseFlat } from "../statistics.ts";

/** v1 says "no limit" with a number near 2^63. */
const UNLIMITED = 2 ** 62;

/** Reads a container's groups. `directory` answers undefined where a controller is not mounted. */
export function statisticsV1(directory: (controller: string) => string | undefined): GroupStatistics {
  const read = (controller: string, file: string) => {
    const path = directory(controller);
    return path === undefined ? undefined : tryReadSetting(`${path}/${file}`);
  };
  const big = (file: string) => BigInt(parseCount(read("cpuacct", file)) ?? 0);
  const stat = parseFlat(read("cpu", "cpu.stat"));
  return {
    cpuTotal: big("cpuacct.usage"),
    cpuUser: big("cpuacct.usage_user"),
    cpuSystem: big("cpuacct.usage_sys"),
    perCpu: (read("cpuacct", "cpuacct.usage_percpu") ?? "").split(" ").filter(Boolean).map(BigInt),
    throttling: {
      periods: Number(stat.get("nr_periods") ?? 0n),
      throttledPeriods: Number(stat.get("nr_throttled") ?? 0n),
      throttledTime: stat.get("throttled_time") ?? 0n,
    },
    ...memoryOf((file) => read("memory", file)),
    ...known("pidsCurrent", parseCount(read("pids", "pids.current"))),
    ...known("pidsLimit", parseCount(read("pids", "pids.max"))),
    blkio: blkioOf((file) => read("blkio", file)),
  };
}

function memoryOf(read: (file: string) => string | undefined) {
  const limit = parseCount(read("memory.limit_in_bytes"));
  return {
    ...known("memoryUsage", parseCount(read("memory.usage_in_bytes"))),
    ...known("memoryMaxUsage", parseCount(read("memory.max_usage_in_bytes"))),
    ...known("memoryFailures", parseCount(read("memory.failcnt"))),
    ...known("memoryLimit", limit === undefined || limit > UNLIMITED ? undefined : limit),
    memory: Object.fromEntries(
      [...parseFlat(read("memory.stat"))].map(([name, value]) => [name, Number(value)]),
    ),
  };
}

/** Source: Linux, Documentation/admin-guide/cgroup-v1/blkio-controller.rst; lines of `8:0 Read 4096`. */
function blkioOf(read: (file: string) => string | undefined): readonly BlockCount[] {
  const bytes = blockLines(read("blkio.throttle.io_service_bytes_recursive"));
  const operations = blockLines(read("blkio.throttle.io_serviced_recursive"));
  return [...bytes].map(([key, count]) => {
    const [device = "", op = ""] = key.split(" ");
    const [major = 0, minor = 0] = device.split(":").map(Number);
    return { major, minor, op, bytes: count, operations: operations.get(key) ?? 0 };
  });
}

function blockLines(text: string | undefined): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of (text ?? "").split("\n")) {
    const [, key, count] = /^([0-9]+:[0-9]+ [A-Za-z]+) ([0-9]+)$/.exec(line) ?? [];
    if (key !== undefined) counts.set(key, Number(count));
  }
  return counts;
}

/** A field only when there is something to say. */
export function known<Name extends string>(
  name: Name,
  value: number | undefined,
): Partial<Record<Name, number>> {
  return value === undefined ? {} : ({ [name]: value } as Record<Name, number>);
}
