import { type Container, parseSignal, SIGKILL } from "#container";
import { Fault } from "#errors";
import type { RunningContainer } from "#exec";
import type { Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";

/** How long a killed container may take until it is said to be stuck. Milliseconds. */
const KILL_PATIENCE = 10_000;
/** How often it is looked whether a killed container has been paused. Milliseconds. */
const THAW_INTERVAL = 250;

export interface EndNeeds {
  readonly containers: Pick<Rooms["containers"], "get">;
  readonly monitor: Pick<Rooms["monitor"], "committed" | "live">;
  readonly events: Pick<Rooms["events"], "publish">;
}

/**
 * Ends a running container: its stop signal, the time it has, SIGKILL. Settles when the end is on record, so that
 * whoever looks next sees it. Seconds: -1 waits for ever, 0 kills at once.
 */
export async function endProcess(
  needs: EndNeeds,
  container: Container,
  { signal, timeoutSeconds }: { readonly signal: number; readonly timeoutSeconds: number },
): Promise<void> {
  const process = needs.monitor.live(container.id);
  if (process === undefined) return;
  if (timeoutSeconds !== 0 && signal !== SIGKILL) {
    await send(needs, container, { process, signal });
    const patience = timeoutSeconds < 0 ? Number.POSITIVE_INFINITY : timeoutSeconds * 1000;
    if (await within(needs.monitor.committed(container.id), patience)) return;
  }
  await send(needs, container, { process, signal: SIGKILL });
  if (await endedWhileThawed(needs, container.id, process)) return;
  throw new Fault(
    "unavailable",
    `Cannot end container ${container.name}: it did not exit within 10 seconds of SIGKILL; its processes may be stuck in the kernel`,
  );
}

/** A pause that came at the same time as SIGKILL keeps what is killed from ending: on cgroup v1 it is frozen with it. */
async function endedWhileThawed(needs: EndNeeds, id: string, process: RunningContainer): Promise<boolean> {
  const committed = needs.monitor.committed(id);
  for (let waited = 0; waited < KILL_PATIENCE; waited += THAW_INTERVAL) {
    if (await within(committed, THAW_INTERVAL)) return true;
    // Its group goes with its last process.
    if (needs.containers.get(id)?.state.status === "paused") await process.resume().catch(() => undefined);
  }
  return false;
}

/** Signals it, thaws it (unless told otherwise) so that it can obey, and says so. That it has just ended is no failure. */
export async function send(
  needs: Pick<EndNeeds, "containers" | "events">,
  container: Container,
  options: {
    readonly process: RunningContainer;
    readonly signal: number;
    readonly isThawing?: boolean;
  },
): Promise<void> {
  const { process, signal, isThawing = true } = options;
  const isAlone = container.spec.host.pidMode === "";
  try {
    if (signal === SIGKILL && !isAlone) await process.signalAll(signal);
    else await process.signal(signal);
    const isPaused = needs.containers.get(container.id)?.state.status === "paused";
    if (isPaused && isThawing) await process.resume();
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind === "conflict") return;
    throw thrown;
  }
  announcer(needs.events)(container, "kill", { signal: String(signal) });
}

export function stopSignalOf(container: Container, asked?: string): number {
  return parseSignal(asked === undefined || asked === "" ? container.effective.stopSignal : asked);
}

/** Whether it settled within so many milliseconds. */
export async function within(settling: Promise<unknown>, patience: number): Promise<boolean> {
  if (patience === Number.POSITIVE_INFINITY) return settling.then(() => true);
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), Math.min(patience, 2 ** 31 - 1));
  try {
    return await Promise.race([settling.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
