/**
 * Brings the loopback of a new network namespace up, then runs the command given and ends as it does; with 1 when the
 * command succeeded but left mounts or processes behind in its namespaces.
 */
import { hostDifference, hostState } from "./fixtures/host-state.ts";

const [, , ...command] = process.argv;

const up = Bun.spawnSync(["ip", "link", "set", "lo", "up"], { stderr: "inherit" });
if (up.exitCode !== 0) throw new Error("Cannot bring the loopback up: ip ended with an error");
const before = await own();
const child = Bun.spawn(command, { stdio: ["inherit", "inherit", "inherit"] });
const code = await child.exited;
// A mount that was there before goes when somebody outside removes its folder.
const left = hostDifference(before, await own()).filter((line) => !line.startsWith("mounts: missing:"));
for (const line of left) process.stderr.write(`test: not as it was before this file: ${line}\n`);
process.exit(code === 0 && left.length > 0 ? 1 : code);

/** Links and rules end with the namespace; control groups and folders are the whole machine's, and are compared at the end. */
async function own() {
  const { mounts = [], processes = [] } = await hostState();
  return { mounts, processes };
}
