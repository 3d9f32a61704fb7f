import type { Descriptor } from "#oci";
import { run } from "../fixtures/daemon.ts";
import type { FixtureImage } from "../fixtures/image.ts";
import { freshDisk } from "./disk.ts";
import { bunker, type Contestant, cli } from "./engines.ts";
import { median, note, proportionalMegabytes, type Row } from "./measure.ts";

/** How often the daemon is weighed while it pulls. */
const WEIGHING_MILLISECONDS = 50;
const ALONE = "blobs alone";

interface PullBench {
  readonly engines: readonly Contestant[];
  /** The words that name the image to an engine. */
  readonly reference: (engine: Contestant) => string[];
  readonly registry: string;
  readonly image: FixtureImage;
  readonly root: string;
  readonly rounds: number;
}

/** A pull onto a store that has nothing of the image; each engine has a new file system of its own. */
export async function pull(bench: PullBench): Promise<Row[]> {
  const { engines, registry, image, root, rounds } = bench;
  await using undo = new AsyncDisposableStack();
  undo.use(await freshDisk(`${root}/erofs`));
  const erofs = undo.use(await bunker(registry, `${root}/erofs`, { flags: ["--storage-driver", "erofs"] }));
  const contestants = [...engines, { ...erofs, name: "erofs" }];
  const times: Record<string, number[]> = {};
  const peaks: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const engine of contestants) {
      const { seconds, megabytes } = await timePull(engine, bench.reference(engine));
      note(times, engine.name, seconds);
      note(peaks, engine.name, megabytes);
    }
    note(times, ALONE, await timeBlobs(`${registry}/v2/library/layered/blobs`, image.layers));
  }
  const { erofs: withErofs = Number.NaN, [ALONE]: alone = Number.NaN, ...values } = medians(times);
  const { erofs: erofsPeak = Number.NaN, bunker: overlayPeak = Number.NaN, docker } = highest(peaks);
  return [
    {
      what: "pull of a 300 MB image of six layers, 30,000 files, from loopback",
      unit: "s",
      values,
      goal: { of: "docker", ratio: 1 / 3 },
    },
    {
      what: "the same with erofs, against fetching and decompressing the blobs alone",
      unit: "s",
      values: { bunker: withErofs, [ALONE]: alone },
      goal: { of: ALONE, ratio: 1.3 },
    },
    {
      what: "daemon at its largest during a pull, proportional memory (at most 150 MB)",
      unit: "MB",
      values: { bunker: Math.max(erofsPeak, overlayPeak), ...(docker === undefined ? {} : { docker }) },
    },
  ];
}

async function timePull(
  engine: Contestant,
  words: readonly string[],
): Promise<{ readonly seconds: number; readonly megabytes: number }> {
  await run(["sync"]);
  const pids = await engine.idlePids();
  let megabytes = 0;
  const weighing = setInterval(async () => {
    const all = await Promise.all(pids.map((pid) => proportionalMegabytes(pid).catch(() => 0)));
    megabytes = Math.max(megabytes, ...all);
  }, WEIGHING_MILLISECONDS);
  const started = performance.now();
  await cli(engine, "pull", "-q", ...words);
  const seconds = (performance.now() - started) / 1000;
  clearInterval(weighing);
  await cli(engine, "rmi", "-f", words.at(-1) ?? "");
  return { seconds, megabytes };
}

/** What no pull can do without, in a process of its own. */
async function timeBlobs(base: string, layers: readonly Descriptor[]): Promise<number> {
  const urls = layers.map(({ digest }) => `${base}/${digest}`);
  const started = performance.now();
  const { code, stderr } = await run([process.execPath, "test/bench/blobs.ts", ...urls]);
  if (code !== 0) throw new Error(`The blobs could not be fetched: ${stderr}`);
  return (performance.now() - started) / 1000;
}

function medians(values: Readonly<Record<string, readonly number[]>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, list]) => [name, median(list)]));
}

function highest(values: Readonly<Record<string, readonly number[]>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, list]) => [name, Math.max(...list)]));
}
