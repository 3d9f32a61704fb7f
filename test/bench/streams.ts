import { type Contestant, cli } from "./engines.ts";
import { median, note, type Row } from "./measure.ts";

const LOG_MEGABYTES = 200;

/** How fast a container can write to its log when it does nothing else. */
export async function logRate(engines: readonly Contestant[], rounds: number): Promise<Row[]> {
  const rates: Record<string, number[]> = {};
  // Lines of 100 bytes, made by the container as fast as it can.
  const script = `yes "$(printf '%099d' 0)" | head -c ${LOG_MEGABYTES * 1024 * 1024}`;
  for (let round = 0; round < rounds; round++) {
    for (const engine of engines) {
      const started = performance.now();
      await cli(engine, "run", "-d", "--name", "bench-log", "busybox", "sh", "-c", script);
      await cli(engine, "wait", "bench-log");
      note(rates, engine.name, LOG_MEGABYTES / ((performance.now() - started) / 1000));
      await cli(engine, "rm", "-f", "bench-log");
    }
  }
  const values = Object.fromEntries(Object.entries(rates).map(([name, list]) => [name, median(list)]));
  return [
    { what: "container log writing", unit: "MB/s", isRate: true, values, goal: { of: "podman", ratio: 1 } },
  ];
}
