/** The race itself: to be run in a network and mounts of its own, where everything has been set up. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
import { logRate } from "./streams.ts";
import { weight } from "./weight.ts";

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 15);

Bun.spawnSync(["ip", "link", "set", "lo", "up"]);
// crun refuses hosts with controllers in both versions; here, in mounts of our own, it shall see the first alone.
if (existsSync("/sys/fs/cgroup/unified") && existsSync("/sys/fs/cgroup/memory"))
  Bun.spawnSync(["umount", "/sys/fs/cgroup/unified"]);
const wanted = process.argv.slice(2);
const isWanted = (section: string) => wanted.length === 0 || wanted.includes(section);
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
  const registry = undo.use(
    await startRegistry({ "library/busybox": await busyboxImage(), "library/layered": await layeredImage() }),
  );
  for (const name of ["bunker", "docker", "podman"]) undo.use(await freshDisk(`${root}/${name}`));
  const engines: Contestant[] = [undo.use(await bunker(registry.url, `${root}/bunker`))];
  for (const engine of [await docker(registry.url, `${root}/docker`), await podman(`${root}/podman`)])
    if (engine !== undefined) engines.push(undo.use(engine));
  for (const engine of engines) await cli(engine, "pull", "-q", ...imageOf(registry.host, engine, "busybox"));
  for (const engine of engines)
    if (engine.name === "podman") await cli(engine, "tag", `${registry.host}/library/busybox`, "busybox");

  const rows: Row[] = [];
  if (isWanted("start")) rows.push(...(await latency(engines, await bareCrun(`${root}/crun`), ROUNDS)));
  if (isWanted("network")) rows.push(...(await network(engines, ROUNDS)));
  if (isWanted("many")) rows.push(...(await throughput(engines, 100)));
  if (isWanted("api")) rows.push(...(await api(engines, 3)));
  if (isWanted("weight")) rows.push(...(await weight(engines)));
  if (isWanted("log")) rows.push(...(await logRate(engines, 3)));
  if (isWanted("logs")) rows.push(...(await logs(engines, 3)));
  if (isWanted("pull"))
    rows.push(
      ...(await pull({
        engines,
        reference: (engine) => imageOf(registry.host, engine, "layered"),
        registry: registry.url,
        image: await layeredImage(),
        root,
        rounds: 3,
      })),
    );
  if (isWanted("archives")) rows.push(...(await archives(engines, { root, rounds: Math.min(ROUNDS, 5) })));
  const names = [
    ...engines.map(({ name }) => name),
    ...["crun", "blobs alone"].filter((name) => rows.some(({ values }) => name in values)),
  ];
  process.stdout.write(
    `${render(rows, names)}\n\nMedians of ${ROUNDS} rounds, taken in turn; the share is bunker's figure over the other's.\n`,
  );
}

/** Docker and bunker know the registry as a mirror, podman by its address. */
function imageOf(host: string, { name }: Contestant, image: string): string[] {
  return name === "podman" ? ["--tls-verify=false", `${host}/library/${image}`] : [image];
}
