import { setTimeout as wait } from "node:timers/promises";

/** Time as the client sees it, so that waiting can be tried without waiting. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Rejects with the signal's reason when it aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: Date.now,
  async sleep(milliseconds, signal) {
    await wait(milliseconds, undefined, { signal }).catch((thrown: unknown) => {
      signal.throwIfAborted();
      throw thrown;
    });
  },
};
