/** The race itself: to be run in a network and mounts of its own, where everything has been set up. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BareNamespace } from "../fixtures/bare-namespace.ts";
import { busyboxImage, layeredImage, startRegistry } from "../fixtures/index.ts";
import { api } from "./api.ts";
import { archives } from "./archives.ts";
import { bareCrun } from "./crun.ts";
import { freshDisk } from "./disk.ts";
import { bunker, type Contestant, cli, docker, podman } from "./engines.ts";
import { latency, throughput } from "./latency.ts";
import { logs } from "./logs.ts";
import { type Row, render } from "./measure.ts";
import { network } from "./network.ts";
import { pull } from "./pull.ts";
import { registry as privateRegistry } from "./registry.ts";
import { endStrays, stopOnSignals } from "./stopping.ts";
import { logRate } from "./streams.ts";
import { weight } from "./weight.ts";

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 15);

Bun.spawnSync(["ip", "link", "set", "lo", "up"]);
// crun refuses hosts with controllers in both versions; here, in mounts of our own, it shall see the first alone.
if (existsSync("/sys/fs/cgroup/unified") && existsSync("/sys/fs/cgroup/memory"))
  Bun.spawnSync(["umount", "/sys/fs/cgroup/unified"]);
const wanted = process.argv.slice(2);
const isWanted = (section: string) => wanted.length === 0 || wanted.includes(section);
stopOnSignals();
process.exitCode = await main().then(() => 0, complain);

/** Of an error that came while undoing after another, both are told. */
function complain(thrown: unknown): number {
  const faults = thrown instanceof SuppressedError ? [thrown.suppressed, thrown.error] : [thrown];
  for (const fault of faults)
    process.stderr.write(`bench: ${fault instanceof Error ? fault.message : fault}\n`);
  return 1;
}

async function main(): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "bunker-bench-"));
  undo.defer(() => rm(root, { recursive: true, force: true }));
  undo.defer(() => endStrays(root));
  const registry = undo.use(
    await startRegistry({ "library/busybox": await busyboxImage(), "library/layered": await layeredImage() }),
  );
  for (const name of ["bunker", "docker", "podman", "crun"]) undo.use(await freshDisk(`${root}/${name}`));
  undo.defer(() => endStrays(root));
  const engines: Contestant[] = [undo.use(await bunker(registry.url, `${root}/bunker`))];
  for (const engine of [await docker(registry.url, `${root}/docker`), await podman(`${root}/podman`)])
    if (engine !== undefined) engines.push(undo.use(engine));
  for (const engine of engines) await cli(engine, "pull", "-q", ...imageOf(registry.host, engine, "busybox"));
  for (const engine of engines)
    if (engine.name === "podman") await cli(engine, "tag", `${registry.host}/library/busybox`, "busybox");

  const reference = (engine: Contestant) => imageOf(registry.host, engine, "layered");
  const image = await layeredImage();
  const sections: Record<string, () => Promise<Row[]>> = {
    start: async () => latency(engines, await bareCrun(`${root}/crun/bundle`, `${root}/crun/run`), ROUNDS),
    network: () => apart(engines, root),
    many: () => throughput(engines, 100),
    api: () => api(engines, 3),
    weight: () => weight(engines),
    log: () => logRate(engines, 3),
    logs: () => logs(engines, 3),
    pull: () => pull({ engines, reference, registry: registry.url, image, root, rounds: 3 }),
    registry: () => privateRegistry(root, 3),
    archives: () => archives(engines, { root, rounds: Math.min(ROUNDS, 5) }),
  };
  for (const [name, race] of Object.entries(sections)) if (isWanted(name)) print(name, await race());
}

/** As soon as it is known: a race of all sections takes its time. */
function print(section: string, rows: readonly Row[]): void {
  const names = ["bunker", "docker", "podman", "crun", "docker-registry", "blobs alone"].filter((name) =>
    rows.some(({ values }) => name in values),
  );
  process.stdout.write(
    `${section}:\n\n${render(rows, names)}\n\nMedians of rounds taken in turn; the share is bunker's figure over the other's.\n\n`,
  );
}

/** Each with a host's network to itself: on one host a packet passes the rules of every engine. */
async function apart([ours]: readonly Contestant[], root: string): Promise<Row[]> {
  await using undo = new AsyncDisposableStack();
  if (ours === undefined) return [];
  const archive = `${root}/busybox.tar`;
  await cli(ours, "save", "-o", archive, "busybox");
  const engines: Contestant[] = [];
  for (const [name, open] of Object.entries({ bunker, docker })) {
    const { prefix } = undo.use(await BareNamespace.make());
    const folder = `${root}/${name}/apart`;
    await mkdir(folder);
    const engine = await open("http://127.0.0.1:1", folder, { inside: prefix });
    if (engine === undefined) continue;
    engines.push(undo.use(engine));
    await cli(engine, "load", "-q", "-i", archive);
  }
  return await network(engines, ROUNDS);
}

/** Docker and bunker know the registry as a mirror, podman by its address. */
function imageOf(host: string, { name }: Contestant, image: string): string[] {
  return name === "podman" ? ["--tls-verify=false", `${host}/library/${image}`] : [image];
}
