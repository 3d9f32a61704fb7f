import { connect, type Socket } from "node:net";
import { resolve } from "node:path";
import { type Contestant, cli, socketOf } from "./engines.ts";
import { median, note, proportionalMegabytes, type Row } from "./measure.ts";

const CROWD = 200;
const RUNNING = 10;
const CONNECTIONS = 8;
const SECONDS = 2;
const FOLLOWERS = 1000;
const LOAD = resolve(import.meta.dir, "load.ts");

/** How many requests an engine answers in a second, and what it costs when many listen to it. */
export async function api(engines: readonly Contestant[], rounds: number): Promise<Row[]> {
  const asked = engines.filter((engine) => socketOf(engine) !== undefined);
  const crowds = new Map<string, readonly string[]>();
  for (const engine of asked) crowds.set(engine.name, await crowd(engine));
  const third = { of: "docker", ratio: 3 };
  const rows: Row[] = [
    await rate(asked, { what: "GET /_ping", path: () => "/_ping", goal: { of: "docker", ratio: 1 }, rounds }),
    await rate(asked, {
      what: `GET /containers/json, ${CROWD} containers, ${RUNNING} of them running`,
      path: () => "/containers/json?all=1",
      goal: third,
      rounds,
    }),
    await rate(asked, {
      what: "GET /containers/ID/json, of one that runs",
      path: ({ name }) => `/containers/${crowds.get(name)?.at(-1)}/json`,
      goal: third,
      rounds,
    }),
    await listening(asked),
  ];
  for (const engine of asked) await cli(engine, "rm", "-f", ...(crowds.get(engine.name) ?? []));
  return rows;
}

/** Ids; those at the end run. */
async function crowd(engine: Contestant): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let number = 0; number < CROWD; number++) {
    const words = number < CROWD - RUNNING ? ["create"] : ["run", "-d"];
    ids.push(await cli(engine, ...words, "--label", "tier=bench", "busybox", "sleep", "100000"));
  }
  return ids;
}

interface Asking {
  readonly what: string;
  readonly path: (engine: Contestant) => string;
  readonly goal: Row["goal"];
  readonly rounds: number;
}

async function rate(engines: readonly Contestant[], { what, path, goal, rounds }: Asking): Promise<Row> {
  const rates: Record<string, number[]> = {};
  for (let round = -1; round < rounds; round++)
    for (const engine of engines) {
      const words = [socketOf(engine) ?? "", path(engine), String(CONNECTIONS), String(SECONDS)];
      const child = Bun.spawn([process.execPath, LOAD, ...words], { stdout: "pipe", stderr: "inherit" });
      const answered = Number(await child.stdout.text());
      if (round >= 0) note(rates, engine.name, answered);
    }
  const values = Object.fromEntries(Object.entries(rates).map(([name, list]) => [name, median(list)]));
  return { what, unit: "/s", isRate: true, values, ...(goal !== undefined && { goal }) };
}

async function listening(engines: readonly Contestant[]): Promise<Row> {
  const values: Record<string, number> = {};
  for (const engine of engines) {
    const weigh = async () => {
      const sizes = await Promise.all((await engine.idlePids()).map(proportionalMegabytes));
      return sizes.reduce((sum, size) => sum + size, 0);
    };
    const before = await weigh();
    const sockets: Socket[] = [];
    while (sockets.length < FOLLOWERS) sockets.push(await follow(socketOf(engine) ?? "", "/events"));
    values[engine.name] = (await weigh()) - before;
    for (const socket of sockets) socket.destroy();
  }
  return {
    what: `${FOLLOWERS} × events that nothing happens on (bunker at most 100 MB)`,
    unit: "MB",
    values,
  };
}

/** A connection that has the head of its reply. */
async function follow(path: string, target: string): Promise<Socket> {
  const socket = connect({ path });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.on("error", reject).once("data", () => resolve());
  socket.write(`GET ${target} HTTP/1.1\r\nHost: d\r\n\r\n`);
  await promise;
  return socket;
}
