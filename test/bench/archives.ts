import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { run } from "../fixtures/daemon.ts";
import { startRegistry, type TestRegistry } from "../fixtures/index.ts";
import { type Contestant, cli } from "./engines.ts";
import { proportionalMegabytes, type Row, race, type Timed } from "./measure.ts";

const IMAGE = "layered";
const BOX = "bench-changed";
/** Files and bytes that the container changes: as a package manager's run does. */
const FILES = 3000;
const FILE_BYTES = 16_000;
const SAMPLE_MILLISECONDS = 50;

/** What moves images about: push, save, load, commit and diff, and what the daemon weighs meanwhile. */
export async function archives(
  engines: readonly Contestant[],
  { root, rounds }: { readonly root: string; readonly rounds: number },
): Promise<Row[]> {
  const contestants = engines.filter(({ name }) => name !== "podman");
  for (const engine of contestants) await cli(engine, "pull", "-q", IMAGE);
  const archive = `${root}/layered.tar`;
  const [first] = contestants;
  if (first === undefined) return [];
  await plainArchive(first, archive);
  for (const engine of contestants) await change(engine);
  const peaks: Record<string, number> = {};
  const timed = async (make: (engine: Contestant) => Omit<Timed, "name">) => {
    await using _weighed = weighing(contestants, peaks);
    return race(
      contestants.map((engine) => ({ name: engine.name, ...make(engine) })),
      rounds,
    );
  };
  const rows: Row[] = [
    row("push of a pulled image to an empty registry", await timed(pushing), 1 / 5),
    row("save of a pulled image", await timed((engine) => saving(engine, root)), 1 / 5),
    row("load of an uncompressed docker archive", await timed((engine) => loading(engine, archive)), 1 / 2),
    row(`commit of ${FILES} new files`, await timed(committing), 1 / 2),
    row("diff of the same container (at most 100 ms)", await timed(differing)),
    {
      what: "most memory of daemon and children during all of this (at most 150 MB)",
      unit: "MB",
      values: peaks,
    },
  ];
  for (const engine of contestants) await cli(engine, "rm", "-f", BOX);
  return rows;
}

function row(what: string, values: Readonly<Record<string, number>>, ratio?: number): Row {
  return { what, unit: "ms", values, ...(ratio !== undefined && { goal: { of: "docker", ratio } }) };
}

/** As docker save writes it: layers not compressed. */
async function plainArchive(engine: Contestant, path: string): Promise<void> {
  const layout = `${path}.oci`;
  await cli(engine, "save", "-o", layout, IMAGE);
  const { code, stderr } = await run([
    "skopeo",
    "copy",
    `docker-archive:${layout}`,
    `docker-archive:${path}:${IMAGE}:latest`,
  ]);
  if (code !== 0) throw new Error(`skopeo ended with ${code}: ${stderr}`);
  await rm(layout);
}

async function change(engine: Contestant): Promise<void> {
  const script = `i=0; while [ $i -lt ${FILES} ]; do mkdir -p /new/$((i/100)); head -c ${FILE_BYTES} /dev/urandom > /new/$((i/100))/$i; i=$((i+1)); done`;
  await cli(engine, "run", "--name", BOX, "--network", "none", IMAGE, "/bin/busybox", "sh", "-c", script);
}

/** Each time to a registry that has nothing: neither engine may mount or skip what an earlier round brought. */
function pushing(engine: Contestant): Omit<Timed, "name"> {
  let registry: TestRegistry | undefined;
  const name = () => `${registry?.host}/bench/${IMAGE}`;
  return {
    async before() {
      registry = await startRegistry({});
      await cli(engine, "tag", IMAGE, name());
    },
    run: async () => void (await cli(engine, "push", "-q", name())),
    async after() {
      await cli(engine, "rmi", name());
      await registry?.[Symbol.asyncDispose]();
    },
  };
}

function saving(engine: Contestant, root: string): Omit<Timed, "name"> {
  const path = `${root}/${engine.name}/saved.tar`;
  return {
    run: async () => void (await cli(engine, "save", "-o", path, IMAGE)),
    after: () => rm(path, { force: true }),
  };
}

function loading(engine: Contestant, archive: string): Omit<Timed, "name"> {
  return {
    async before() {
      await cli(engine, "rm", "-f", BOX);
      await cli(engine, "rmi", "-f", IMAGE);
    },
    run: async () => void (await cli(engine, "load", "-q", "-i", archive)),
    after: () => change(engine),
  };
}

function committing(engine: Contestant): Omit<Timed, "name"> {
  return {
    run: async () => void (await cli(engine, "commit", BOX, "bench-committed")),
    after: async () => void (await cli(engine, "rmi", "bench-committed")),
  };
}

function differing(engine: Contestant): Omit<Timed, "name"> {
  return { run: async () => void (await cli(engine, "diff", BOX)) };
}

/** Notes the most that each engine's processes take together, until it is disposed. */
function weighing(engines: readonly Contestant[], peaks: Record<string, number>): AsyncDisposable {
  let isOver = false;
  const sample = async () => {
    while (!isOver) {
      for (const engine of engines) {
        const pids = (await engine.idlePids()).flatMap((pid) => [pid, ...descendants(pid)]);
        const weights = await Promise.all([...new Set(pids)].map(weightOf));
        const megabytes = weights.reduce((sum, weight) => sum + weight, 0);
        peaks[engine.name] = Math.max(peaks[engine.name] ?? 0, megabytes);
      }
      await Bun.sleep(SAMPLE_MILLISECONDS);
    }
  };
  const sampling = sample();
  return {
    async [Symbol.asyncDispose]() {
      isOver = true;
      await sampling;
    },
  };
}

/** Nothing of one that has ended. */
const weightOf = (pid: number) => proportionalMegabytes(pid).catch(() => 0);

function descendants(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    const own = text === "" ? [] : text.split(" ").map(Number);
    return own.flatMap((child) => [child, ...descendants(child)]);
  } catch {
    return [];
  }
}
