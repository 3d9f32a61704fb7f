import { dlopen, FFIType } from "bun:ffi";

/** Middle of the values; of an even count the lower middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}

/** One line of the table: what was measured, in which unit, by whom. Less is better unless `isRate`. */
export interface Row {
  readonly what: string;
  readonly unit: "ms" | "MB" | "MB/s" | "s" | "%" | "x" | "/s";
  readonly isRate?: boolean;
  readonly values: Readonly<Record<string, number>>;
  /** The most that bunker's share of the other's figure, or its own figure, may be (the least for a rate). */
  readonly goal?: { readonly of: string; readonly ratio: number } | { readonly most: number };
}

/** Something to be timed for one engine; `before` and `after` are not timed. */
export interface Timed {
  readonly name: string;
  before?(): Promise<void>;
  run(): Promise<void>;
  after?(): Promise<void>;
}

/** What an engine and the kernel tidy up after a container has gone is to be over before the next is timed. Milliseconds. */
const SETTLING = 150;

/** Times the contestants in turn, round by round, so that a machine that drifts drifts for all. Medians in milliseconds. */
export async function race(contestants: readonly Timed[], rounds: number): Promise<Record<string, number>> {
  const times: Record<string, number[]> = {};
  for (let round = -1; round < rounds; round++) {
    for (const contestant of contestants) {
      await contestant.before?.();
      await Bun.sleep(SETTLING);
      const started = performance.now();
      await contestant.run();
      const elapsed = performance.now() - started;
      await contestant.after?.();
      if (round >= 0) note(times, contestant.name, elapsed);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
}

/** Adds a value to those of a name. */
export function note(values: Record<string, number[]>, name: string, value: number): void {
  values[name] = [...(values[name] ?? []), value];
}

/** The table, with each row's ratio to the engine its goal names. */
export function render(rows: readonly Row[], engines: readonly string[]): string {
  const head = ["what", ...engines, "bunker's share", "goal"];
  const body = rows.map((row) => [row.what, ...engines.map((name) => figure(row, name)), ...verdict(row)]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...body].map((line) => (line[column] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}

function figure({ values, unit }: Row, name: string): string {
  const value = values[name];
  if (value === undefined) return "";
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ${unit}`;
}

function verdict({ values, goal, unit, isRate = false }: Row): [string, string] {
  if (goal === undefined) return ["", ""];
  const ours = values.bunker;
  if ("most" in goal) {
    const word = ours === undefined ? "" : ours <= goal.most ? " met" : " MISSED";
    return ["", `≤ ${goal.most} ${unit}${word}`];
  }
  const theirs = values[goal.of];
  const wish = `${isRate ? "≥" : "≤"} ${goal.ratio.toFixed(2)} × ${goal.of}`;
  if (ours === undefined || theirs === undefined) return ["", wish];
  const share = ours / theirs;
  const isMet = isRate ? share >= goal.ratio : share <= goal.ratio;
  return [`${share.toFixed(2)} × ${goal.of}`, `${wish} ${isMet ? "met" : "MISSED"}`];
}

/** Proportional set size of a process in MB. Source: proc(5), smaps_rollup. */
export async function proportionalMegabytes(pid: number): Promise<number> {
  const text = await Bun.file(`/proc/${pid}/smaps_rollup`).text();
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? Number.NaN) / 1024;
}

const libc = dlopen("libc.so.6", {
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
});
/** Source: kernel, include/linux/posix-timers.h: the clock of a process's time on processors, ended threads included. */
const CLOCK_OF_PROCESS = 2;

/** Seconds of processor time that a process has used, to the nanosecond. */
export function processorSeconds(pid: number): number {
  const time = new BigInt64Array(2);
  if (libc.symbols.clock_gettime((~pid << 3) | CLOCK_OF_PROCESS, time) !== 0)
    throw new Error(`Cannot ask for the processor time of ${pid}`);
  return Number(time[0]) + Number(time[1]) / 1e9;
}
