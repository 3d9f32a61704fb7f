import { readdirSync, readFileSync } from "node:fs";

const stop = new AbortController();

/** From now on a signal that ends programs ends the race in order: what was set up is undone first. */
export function stopOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
}

/** @throws the signal's name, once there was one */
export function goOn(): void {
  stop.signal.throwIfAborted();
}

/** Waits so many seconds, or until a signal comes. */
export async function rest(seconds: number): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, seconds * 1000);
  stop.signal.addEventListener("abort", () => over.resolve(), { once: true });
  await over.promise;
  clearTimeout(timer);
  goOn();
}

/** Ends what an engine that was interrupted lost sight of: processes with a path below `root` among their words. */
export function endStrays(root: string): void {
  for (const pid of readdirSync("/proc").map(Number)) {
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`${root}/`)) continue;
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}
