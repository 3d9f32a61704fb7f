import { tryReadSetting } from "../files.ts";
import { type BlockCount, type GroupStatistics, parseCount, parseFlat } from "../statistics.ts";
import { known } from "../v1/statistics.ts";

/** The kernel counts processor time here in microseconds. */
const NANOSECONDS = 1000n;

/** Reads a container's group. Source: Linux, Documentation/admin-guide/cgroup-v2.rst. */
export function statisticsV2(directory: string): GroupStatistics {
  const read = (file: string) => tryReadSetting(`${directory}/${file}`);
  const cpu = parseFlat(read("cpu.stat"));
  const time = (name: string) => (cpu.get(name) ?? 0n) * NANOSECONDS;
  return {
    cpuTotal: time("usage_usec"),
    cpuUser: time("user_usec"),
    cpuSystem: time("system_usec"),
    perCpu: [],
    throttling: {
      periods: Number(cpu.get("nr_periods") ?? 0n),
      throttledPeriods: Number(cpu.get("nr_throttled") ?? 0n),
      throttledTime: time("throttled_usec"),
    },
    ...known("memoryUsage", parseCount(read("memory.current"))),
    ...known("memoryMaxUsage", parseCount(read("memory.peak"))),
    ...known("memoryFailures", failures(read("memory.events"))),
    ...known("memoryLimit", parseCount(read("memory.max"))),
    memory: Object.fromEntries(
      [...parseFlat(read("memory.stat"))].map(([name, value]) => [name, Number(value)]),
    ),
    ...known("pidsCurrent", parseCount(read("pids.current"))),
    ...known("pidsLimit", parseCount(read("pids.max"))),
    blkio: parseIoStat(read("io.stat") ?? ""),
  };
}

function failures(events: string | undefined): number | undefined {
  const hits = parseFlat(events).get("max");
  return hits === undefined ? undefined : Number(hits);
}

/** Docker's names for the directions. */
const DIRECTIONS = [
  { op: "read", bytes: "rbytes", operations: "rios" },
  { op: "write", bytes: "wbytes", operations: "wios" },
] as const;

/** Lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`. */
export function parseIoStat(text: string): readonly BlockCount[] {
  return text.split("\n").flatMap((line): BlockCount[] => {
    const [, major, minor, rest] = /^([0-9]+):([0-9]+) (.*)$/.exec(line) ?? [];
    if (rest === undefined) return [];
    const counts = new Map(
      rest.split(" ").map((pair): [string, number] => [pair.split("=")[0] ?? "", Number(pair.split("=")[1])]),
    );
    return DIRECTIONS.map(({ op, bytes, operations }) => ({
      major: Number(major),
      minor: Number(minor),
      op,
      bytes: counts.get(bytes) ?? 0,
      operations: counts.get(operations) ?? 0,
    }));
  });
}
