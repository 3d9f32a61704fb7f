import { readdirSync, readFileSync } from "node:fs";
import { type Contestant, cli } from "./engines.ts";
import { processorSeconds, proportionalMegabytes, type Row, race } from "./measure.ts";
import { rest } from "./stopping.ts";

const CROWD = 200;
const IDLE_SECONDS = 10;
/** Percent of a processor: what the kernel's clock, which ticks a hundred times a second, would not show in ten. */
const UNMEASURABLE = 0.1;

/** What an engine weighs when idle, per container, and with a crowd of them. */
export async function weight(engines: readonly Contestant[]): Promise<Row[]> {
  const idle: Record<string, number> = {};
  const idleTime: Record<string, number> = {};
  const supervisor: Record<string, number> = {};
  const crowdMemory: Record<string, number> = {};
  const crowdCpu: Record<string, number> = {};
  const slowerPs: Record<string, number> = {};
  const slowerStart: Record<string, number> = {};
  for (const engine of engines) {
    const [name, pids] = [engine.name, await engine.idlePids()];
    if (pids.length > 0) {
      await rest(IDLE_SECONDS);
      idleTime[name] = await idleCpu(pids);
      idle[name] = await memoryOf(pids);
    }
    const alone = await pace(engine);
    const names = await fill(engine, name === "bunker" ? CROWD : 20);
    const supervisors = supervisorsOf(engine.supervisorName);
    if (supervisors.length > 0) supervisor[name] = (await memoryOf(supervisors)) / names.length;
    if (name === "bunker") {
      const crowded = await pace(engine);
      slowerPs[name] = crowded.ps / alone.ps;
      slowerStart[name] = crowded.start / alone.start;
      await rest(2 * IDLE_SECONDS);
      crowdCpu[name] = await idleCpu(pids);
      crowdMemory[name] = await memoryOf(pids);
    }
    await cli(engine, "rm", "-f", ...names);
  }
  return [
    { what: "idle engine, proportional memory", unit: "MB", values: idle, goal: { most: 50 } },
    { what: "idle engine, processor time", unit: "%", values: idleTime, goal: { most: UNMEASURABLE } },
    {
      what: "beside each container, proportional memory",
      unit: "MB",
      values: supervisor,
      goal: { most: 0.25 },
    },
    {
      what: `daemon with ${CROWD} containers, proportional memory`,
      unit: "MB",
      values: crowdMemory,
      goal: { most: 50 },
    },
    {
      what: `daemon with ${CROWD} containers, processor time while idle`,
      unit: "%",
      values: crowdCpu,
      goal: { most: UNMEASURABLE },
    },
    { what: `ps with ${CROWD} containers against none`, unit: "x", values: slowerPs, goal: { most: 1.5 } },
    {
      what: `start with ${CROWD} containers against none`,
      unit: "x",
      values: slowerStart,
      goal: { most: 1.5 },
    },
  ];
}

async function fill(engine: Contestant, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `bench-crowd-${index}`);
  for (const name of names) await cli(engine, "run", "-d", "--name", name, "busybox", "sleep", "100000");
  return names;
}

async function pace(engine: Contestant): Promise<{ ps: number; start: number }> {
  const ps = await race([{ name: "it", run: async () => void (await cli(engine, "ps", "-q")) }], 9);
  const start = await race(
    [
      {
        name: "it",
        before: async () =>
          void (await cli(engine, "create", "--name", "bench-pace", "busybox", "sleep", "100000")),
        run: async () => void (await cli(engine, "start", "bench-pace")),
        after: async () => void (await cli(engine, "rm", "-f", "bench-pace")),
      },
    ],
    9,
  );
  return { ps: ps.it ?? Number.NaN, start: start.it ?? Number.NaN };
}

async function memoryOf(pids: readonly number[]): Promise<number> {
  const sizes = await Promise.all(pids.map((pid) => proportionalMegabytes(pid).catch(() => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function idleCpu(pids: readonly number[]): Promise<number> {
  const used = () => pids.reduce((sum, pid) => sum + processorSeconds(pid), 0);
  const before = used();
  await rest(IDLE_SECONDS);
  return ((used() - before) / IDLE_SECONDS) * 100;
}

/** Pids of the processes whose name or command begins so. */
function supervisorsOf(name: string): number[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const comm = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
      const [program = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return comm.startsWith(name.slice(0, 15)) || program.split("/").at(-1) === name ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });
}
