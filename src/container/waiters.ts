import type { Container } from "./record.ts";

export type WaitCondition = "not-running" | "next-exit" | "removed";

/** `error` when it could not be started. */
export interface WaitResult {
  readonly code: number;
  readonly error?: string;
}

/** A wait in place. `cancel` forgets it when nobody wants its result any more. */
export interface Wait {
  readonly result: Promise<WaitResult>;
  cancel(): void;
}

type Release = (result: WaitResult) => void;

/** Those who wait for containers to end or to go. */
export class Waiters {
  readonly #exits = new Map<string, Set<Release>>();
  readonly #removals = new Map<string, Set<Release>>();

  /** In place when the call returns. */
  wait(container: Container, condition: WaitCondition): Wait {
    const { id, state } = container;
    const isRunning =
      state.status === "running" || state.status === "paused" || state.status === "restarting";
    if (condition === "not-running" && !isRunning)
      return { result: Promise.resolve({ code: state.exitCode }), cancel: () => {} };
    const waiting = condition === "removed" ? this.#removals : this.#exits;
    const { promise, resolve } = Promise.withResolvers<WaitResult>();
    const releases = waiting.get(id) ?? new Set();
    waiting.set(id, releases.add(resolve));
    return { result: promise, cancel: () => drop(waiting, id, resolve) };
  }

  /** The container has ended, or could not be started. */
  ended(id: string, result: WaitResult): void {
    release(this.#exits, id, result);
  }

  /** Nothing of it is left. */
  removed(id: string, result: WaitResult): void {
    release(this.#exits, id, result);
    release(this.#removals, id, result);
  }
}

function release(waiting: Map<string, Set<Release>>, id: string, result: WaitResult): void {
  const releases = waiting.get(id) ?? [];
  waiting.delete(id);
  for (const resolve of releases) resolve(result);
}

function drop(waiting: Map<string, Set<Release>>, id: string, resolve: Release): void {
  const releases = waiting.get(id);
  releases?.delete(resolve);
  if (releases?.size === 0) waiting.delete(id);
}
