import { connect } from "node:net";
import { type Contestant, cli, socketOf } from "./engines.ts";
import { median, note, proportionalMegabytes, type Row } from "./measure.ts";

const MEGABYTE = 1024 * 1024;
const LOG_MEGABYTES = 200;
const ATTACHED_MEGABYTES = 200;
const FOLLOWERS = 1000;
const AT_ONCE = 50;
/** Lines of 100 bytes, made by the container as fast as it can. */
const printing = (megabytes: number) => `yes "$(printf '%099d' 0)" | head -c ${megabytes * MEGABYTE}`;

/** How fast a log is read and what is printed arrives, and what it costs that many wait for more. */
export async function logs(engines: readonly Contestant[], rounds: number): Promise<Row[]> {
  const served = engines.filter((engine) => socketOf(engine) !== undefined);
  return [
    {
      what: `logs of ${LOG_MEGABYTES} MB`,
      unit: "MB/s",
      isRate: true,
      values: await medians(served, rounds, readLog),
      goal: { of: "docker", ratio: 2 },
    },
    {
      what: `attach to a container that prints ${ATTACHED_MEGABYTES} MB`,
      unit: "MB/s",
      isRate: true,
      values: await medians(served, rounds, attach),
      goal: { of: "docker", ratio: 2 },
    },
    {
      what: `${FOLLOWERS} × logs -f of a silent container (at most 100 MB)`,
      unit: "MB",
      values: await medians(served, 1, follow),
    },
  ];
}

async function medians(
  engines: readonly Contestant[],
  rounds: number,
  measure: (engine: Contestant) => Promise<number>,
): Promise<Record<string, number>> {
  const values: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++)
    for (const engine of engines) note(values, engine.name, await measure(engine));
  return Object.fromEntries(Object.entries(values).map(([name, list]) => [name, median(list)]));
}

async function readLog(engine: Contestant): Promise<number> {
  await cli(engine, "run", "--name", "bench-logs", "-d", "busybox", "sh", "-c", printing(LOG_MEGABYTES));
  await cli(engine, "wait", "bench-logs");
  const rate = await rateOf(engine, LOG_MEGABYTES, "GET", "bench-logs/logs?stdout=1");
  await cli(engine, "rm", "-f", "bench-logs");
  return rate;
}

async function attach(engine: Contestant): Promise<number> {
  await cli(engine, "create", "--name", "bench-attach", "busybox", "sh", "-c", printing(ATTACHED_MEGABYTES));
  const rate = rateOf(engine, ATTACHED_MEGABYTES, "POST", "bench-attach/attach?stream=1&stdout=1");
  await cli(engine, "start", "bench-attach");
  const value = await rate;
  await cli(engine, "rm", "-f", "bench-attach");
  return value;
}

/** Megabytes a second from the first byte of a reply to its end; the head is not counted. */
async function rateOf(engine: Contestant, megabytes: number, method: string, path: string): Promise<number> {
  const url = `http://engine/v1.41/containers/${path}`;
  const told = "%{time_starttransfer} %{time_total} %{size_download}";
  const words = [
    "--silent",
    "--no-buffer",
    "--output",
    "/dev/null",
    "--request",
    method,
    "--write-out",
    told,
  ];
  const curl = Bun.spawn(["curl", "--unix-socket", socketOf(engine) ?? "", ...words, url], {
    stdout: "pipe",
  });
  const [first = 0, last = 0, bytes = 0] = (await curl.stdout.text()).split(" ").map(Number);
  if (bytes < megabytes * MEGABYTE) throw new Error(`${engine.name}: ${path} gave ${bytes} bytes`);
  return bytes / MEGABYTE / (last - first);
}

async function follow(engine: Contestant): Promise<number> {
  await cli(engine, "run", "-d", "--name", "bench-follow", "busybox", "sh", "-c", "echo hi; sleep 10000");
  const before = await weigh(engine);
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => void (await cli(engine, "rm", "-f", "bench-follow")));
  const request =
    "GET /v1.41/containers/bench-follow/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: engine\r\n\r\n";
  for (let opened = 0; opened < FOLLOWERS; opened += AT_ONCE) {
    const some = Array.from({ length: AT_ONCE }, async () => {
      const socket = connect(socketOf(engine) ?? "");
      undo.defer(() => void socket.destroy());
      socket.write(request);
      for await (const part of socket.iterator({ destroyOnReturn: false }))
        if (String(part).includes("hi\n")) return;
    });
    await Promise.all(some);
  }
  return (await weigh(engine)) - before;
}

async function weigh(engine: Contestant): Promise<number> {
  const pids = await engine.idlePids();
  const sizes = await Promise.all(pids.map(proportionalMegabytes));
  return sizes.reduce((sum, size) => sum + size, 0);
}
