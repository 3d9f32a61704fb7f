/**
 * How fast and how heavy bunker is beside docker, podman and crun, whichever are installed, in one run and in a
 * network namespace of its own. `bun run bench [SECTION…]`: start, network, many, api, weight, log, logs, pull, registry,
 * archives.
 * BENCH_ROUNDS sets how often each command is timed. A signal that ends it has it undo first what it set up.
 */
import { setUp } from "../setup.ts";

await setUp();
// Only now are there packages that the fixtures import.
const { layeredImage, prepareFixtures, requirePackages } = await import("../fixtures/index.ts");
await prepareFixtures();
await requirePackages(["skopeo", "iperf3", "curl", "wrk", "docker-registry"]);
await layeredImage();
const race = [process.execPath, "test/bench/race.ts", ...process.argv.slice(2)];
const child = Bun.spawn(["unshare", "--net", "--mount", "--", ...race], {
  stdio: ["ignore", "inherit", "inherit"],
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
process.exit(await child.exited);
