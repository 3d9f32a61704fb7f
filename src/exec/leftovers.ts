import { readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { isAlive, signalProcess } from "#host";
import type { ProcessName } from "./state.ts";

const SIGKILL = 9;
/** How long a killed process may take to be gone, looked at every few milliseconds. */
const END_LIMIT_MILLISECONDS = 5000;
const LOOK_MILLISECONDS = 5;

/** Kills what is left in groups whose supervisor has gone, and removes them, those below first. Never rejects. */
export async function removeGroups(directories: readonly string[]): Promise<void> {
  for (const directory of directories) killGroup(directory);
  const deadline = Date.now() + END_LIMIT_MILLISECONDS;
  for (const directory of directories.toReversed())
    while (!(await removeTree(directory)) && Date.now() < deadline) {
      killGroup(directory);
      await Bun.sleep(LOOK_MILLISECONDS);
    }
}

/** Source: cgroup.kill of v2; v1 has none, and its frozen processes die when they thaw. */
function killGroup(directory: string): void {
  if (tryWrite(`${directory}/cgroup.kill`, "1")) return;
  for (const line of tryRead(`${directory}/cgroup.procs`).split("\n")) {
    const pid = Number(line);
    if (pid > 1) tryKill(pid);
  }
  tryWrite(`${directory}/freezer.state`, "THAWED");
}

/** Whether it is gone. */
async function removeTree(directory: string): Promise<boolean> {
  if (tryRemove(directory)) return true;
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    for (const entry of entries) if (entry.isDirectory()) await removeTree(`${directory}/${entry.name}`);
  } catch {
    return true;
  }
  return tryRemove(directory);
}

/** Kills a process and waits until it is gone, within a limit. Never rejects. */
export async function endProcess({ pid, startTicks }: ProcessName): Promise<void> {
  const deadline = Date.now() + END_LIMIT_MILLISECONDS;
  signalProcess(pid, startTicks, SIGKILL);
  await ended({ pid, startTicks }, { deadline });
}

/** Waits until a process has ended, or something else has happened; false when neither has by then. */
export async function ended(
  { pid, startTicks }: ProcessName,
  options: { readonly deadline?: number; readonly orWhen?: () => boolean } = {},
): Promise<boolean> {
  const { deadline = Date.now() + END_LIMIT_MILLISECONDS, orWhen = () => false } = options;
  while (isAlive(pid, startTicks) && !orWhen()) {
    if (Date.now() >= deadline) return false;
    await Bun.sleep(LOOK_MILLISECONDS);
  }
  return true;
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function tryWrite(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "r+" });
    return true;
  } catch {
    return false;
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function tryRemove(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "ENOENT";
  }
}
