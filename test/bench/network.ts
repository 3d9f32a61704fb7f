import { run } from "../fixtures/daemon.ts";
import { type Contestant, cli } from "./engines.ts";
import { median, note, type Row, race } from "./measure.ts";

const NETWORK = "bench-net";
const SERVER = "bench-server";
const PORT = 15201;
const SECONDS = 1;
/** Debian's iperf3 with its libraries, of the host: every engine runs the same one. */
const HOST_PROGRAMS = ["-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro"];
const IPERF = "/usr/bin/iperf3";
const IDLE = ["busybox", "sleep", "100000"];

/** What networks cost, beside dockerd: how fast they carry, and how long it takes to make and join them. */
export async function network(engines: readonly Contestant[], rounds: number): Promise<Row[]> {
  for (const engine of engines) await cli(engine, "network", "create", NETWORK);
  const rows = [...(await carrying(engines, rounds)), ...(await arranging(engines, rounds))];
  for (const engine of engines) await cli(engine, "network", "rm", NETWORK);
  return rows;
}

/** One engine at a time has its server up; rounds go around. */
async function carrying(engines: readonly Contestant[], rounds: number): Promise<Row[]> {
  const between: Record<string, number[]> = {};
  const published: Record<string, number[]> = {};
  const trip: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++)
    for (const engine of engines) {
      const words = ["--network", NETWORK, ...HOST_PROGRAMS, "busybox", IPERF];
      const ports = ["-p", `127.0.0.1:${PORT}:5201`];
      await cli(engine, "run", "-d", "--name", SERVER, ...ports, ...words, "-s");
      const format = `{{(index .NetworkSettings.Networks "${NETWORK}").IPAddress}}`;
      const address = await cli(engine, "inspect", "-f", format, SERVER);
      const client = ["-t", String(SECONDS), "-J", "-c"];
      await listening([...engine.inside, IPERF, "-c", "127.0.0.1", "-p", String(PORT), "-n", "1K"]);
      note(between, engine.name, rateOf(await cli(engine, "run", "--rm", ...words, ...client, address)));
      const host = await run([...engine.inside, IPERF, ...client, "127.0.0.1", "-p", String(PORT)]);
      note(published, engine.name, rateOf(host.stdout));
      const ping = ["ping", "-q", "-c", "200", "-i", "0.005", address];
      note(
        trip,
        engine.name,
        tripOf(await cli(engine, "run", "--rm", "--network", NETWORK, "busybox", ...ping)),
      );
      await cli(engine, "rm", "-f", SERVER);
    }
  const medians = (values: Record<string, number[]>) =>
    Object.fromEntries(Object.entries(values).map(([name, list]) => [name, median(list)]));
  const goal = { of: "docker", ratio: 1 };
  return [
    {
      what: "from container to container on a bridge",
      unit: "MB/s",
      isRate: true,
      values: medians(between),
      goal,
    },
    {
      what: "from the host through a published port",
      unit: "MB/s",
      isRate: true,
      values: medians(published),
      goal,
    },
    { what: "round trip between containers", unit: "ms", values: medians(trip), goal },
  ];
}

/** Waits until the server answers through its port. */
async function listening(command: readonly string[]): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await run(command)).code === 0) return;
    await Bun.sleep(50);
  }
  throw new Error("iperf3 does not answer on its published port");
}

function rateOf(json: string): number {
  const { end } = JSON.parse(json) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second / 8 / 1e6;
}

/** Milliseconds, the middle of `min/avg/max`. */
function tripOf(text: string): number {
  return Number(/= [\d.]+\/([\d.]+)\//.exec(text)?.[1] ?? Number.NaN);
}

async function arranging(engines: readonly Contestant[], rounds: number): Promise<Row[]> {
  const each = (
    work: (engine: Contestant) => Promise<unknown>,
    after: (engine: Contestant) => Promise<unknown>,
    before: (engine: Contestant) => Promise<unknown> = async () => undefined,
  ) =>
    race(
      engines.map((engine) => ({
        name: engine.name,
        before: async () => void (await before(engine)),
        run: async () => void (await work(engine)),
        after: async () => void (await after(engine)),
      })),
      rounds,
    );
  const made = await each(
    (engine) => cli(engine, "network", "create", "bench-made"),
    (engine) => cli(engine, "network", "rm", "bench-made"),
  );
  for (const engine of engines) await cli(engine, "run", "-d", "--name", "bench-joining", ...IDLE);
  const connected = await each(
    (engine) => cli(engine, "network", "connect", NETWORK, "bench-joining"),
    (engine) => cli(engine, "network", "disconnect", NETWORK, "bench-joining"),
  );
  for (const engine of engines) await cli(engine, "rm", "-f", "bench-joining");
  const create = ["create", "--name", "bench-start", "--network", NETWORK, "-p", `127.0.0.1:${PORT}:80`];
  const started = await each(
    (engine) => cli(engine, "start", "bench-start"),
    (engine) => cli(engine, "rm", "-f", "bench-start"),
    (engine) => cli(engine, ...create, ...IDLE),
  );
  const third = { of: "docker", ratio: 1 / 3 };
  return [
    { what: "network create", unit: "ms", values: made, goal: third },
    { what: "network connect, of a running container", unit: "ms", values: connected, goal: third },
    {
      what: "start on a network of one's own, with a published port",
      unit: "ms",
      values: started,
      goal: { of: "docker", ratio: 1 / 8 },
    },
  ];
}
