import { readFileSync } from "node:fs";

/**
 * When a process started, in clock ticks since boot, as text: with it a pid is a name that is never used twice.
 * Undefined when there is no such process, or it is a zombie. Source: proc(5), /proc/PID/stat, fields 3 and 22.
 */
export function processStartTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Whether the process that had this pid and start time is still running. */
export function isAlive(pid: number, startTicks: string): boolean {
  return processStartTicks(pid) === startTicks;
}
