import { type Contestant, cli } from "./engines.ts";
import { type Row, race } from "./measure.ts";

/** A long sleep that ends at once when it is told to: an engine's own work is what `stop` shall show. */
const IDLE = ["busybox", "sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"];

/** How long a user waits for each of the everyday commands. */
export async function latency(
  engines: readonly Contestant[],
  crun: (() => Promise<void>) | undefined,
  rounds: number,
): Promise<Row[]> {
  const rows: Row[] = [];
  const everyone = (run: (engine: Contestant) => Promise<unknown>) =>
    engines.map((engine) => ({ name: engine.name, run: async () => void (await run(engine)) }));
  const runs = [
    ...everyone((engine) => cli(engine, "run", "--rm", "busybox", "true")),
    ...(crun === undefined ? [] : [{ name: "crun", run: crun }]),
  ];
  const run = await race(runs, rounds);
  rows.push({
    what: "run --rm busybox true, default network",
    unit: "ms",
    values: run,
    goal: { of: "docker", ratio: 1 / 8 },
  });
  rows.push({
    what: "the same, beside a bare crun run with a new network namespace",
    unit: "ms",
    values: run,
    goal: { of: "crun", ratio: 2 },
  });
  const none = await race(
    everyone((engine) => cli(engine, "run", "--rm", "--network", "none", "busybox", "true")),
    rounds,
  );
  rows.push({ what: "run --rm --network none busybox true", unit: "ms", values: none });

  for (const engine of engines) await cli(engine, "run", "-d", "--name", "bench-exec", ...IDLE);
  const exec = await race(
    everyone((engine) => cli(engine, "exec", "bench-exec", "true")),
    rounds,
  );
  rows.push({ what: "exec true", unit: "ms", values: exec, goal: { of: "docker", ratio: 1 / 5 } });
  const version = await race(
    everyone((engine) => cli(engine, "version")),
    rounds,
  );
  rows.push({ what: "version", unit: "ms", values: version, goal: { most: 15 } });
  for (const engine of engines) await cli(engine, "rm", "-f", "bench-exec");

  rows.push(...(await lifecycle(engines, rounds)));
  return rows;
}

async function lifecycle(engines: readonly Contestant[], rounds: number): Promise<Row[]> {
  const name = "bench-cycle";
  const timed = (
    word: readonly string[],
    before: (engine: Contestant) => Promise<unknown>,
    after: (engine: Contestant) => Promise<unknown>,
  ) =>
    race(
      engines.map((engine) => ({
        name: engine.name,
        before: async () => void (await before(engine)),
        run: async () => void (await cli(engine, ...word, name)),
        after: async () => void (await after(engine)),
      })),
      rounds,
    );
  const remove = (engine: Contestant) => cli(engine, "rm", "-f", name);
  const start = await timed(["start"], (engine) => cli(engine, "create", "--name", name, ...IDLE), remove);
  const stop = await timed(
    ["stop", "-t", "0"],
    (engine) => cli(engine, "run", "-d", "--name", name, ...IDLE),
    remove,
  );
  const rm = await timed(
    ["rm", "-f"],
    (engine) => cli(engine, "run", "-d", "--name", name, ...IDLE),
    async () => undefined,
  );
  const goal = { of: "docker", ratio: 1 / 5 };
  return [
    { what: "start", unit: "ms", values: start, goal },
    { what: "stop -t 0", unit: "ms", values: stop, goal },
    { what: "rm -f of a running one", unit: "ms", values: rm, goal },
  ];
}

/** Many in a row, and eight at a time. */
export async function throughput(engines: readonly Contestant[], count: number): Promise<Row[]> {
  const inRow: Record<string, number> = {};
  const atOnce: Record<string, number> = {};
  for (const engine of engines) {
    const names = Array.from({ length: count }, (_, index) => `bench-many-${index}`);
    let started = performance.now();
    for (const name of names) await cli(engine, "run", "-d", "--name", name, ...IDLE);
    inRow[engine.name] = (performance.now() - started) / 1000;
    await cli(engine, "rm", "-f", ...names);
    started = performance.now();
    const queue = [...names];
    const worker = async () => {
      for (let name = queue.shift(); name !== undefined; name = queue.shift())
        await cli(engine, "run", "-d", "--name", name, ...IDLE);
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    atOnce[engine.name] = (performance.now() - started) / 1000;
    await cli(engine, "rm", "-f", ...names);
  }
  return [
    { what: `${count} × run -d in a row`, unit: "s", values: inRow, goal: { of: "docker", ratio: 1 / 6 } },
    { what: `${count} × run -d, eight at a time`, unit: "s", values: atOnce },
  ];
}
