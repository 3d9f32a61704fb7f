import type { RestartPolicy } from "./record.ts";

const FIRST_DELAY = 100;
const LONGEST_DELAY = 60_000;
/** A life this long is a success: the next delay starts again from the first. */
const HEALTHY_LIFE = 10_000;

/** One life of a container. Times in milliseconds. */
export interface Life {
  readonly exitCode: number;
  readonly duration: number;
  readonly restartCount: number;
  readonly isManuallyStopped: boolean;
}

/** Source: docker run reference, "Restart policies (--restart)". A stop by a person always lets it rest. */
export function shouldRestart(policy: RestartPolicy, life: Life): boolean {
  if (life.isManuallyStopped) return false;
  if (policy.name === "always" || policy.name === "unless-stopped") return true;
  if (policy.name !== "on-failure" || life.exitCode === 0) return false;
  return policy.maximumRetryCount === 0 || life.restartCount < policy.maximumRetryCount;
}

/** The delay before the next start, in milliseconds, given the one before it (0 for none). */
export function nextDelay(previous: number, duration: number): number {
  if (previous === 0 || duration >= HEALTHY_LIFE) return FIRST_DELAY;
  return Math.min(previous * 2, LONGEST_DELAY);
}

/**
 * Whether a container that has run before, and does not now, is started together with the daemon: `always` also
 * after a stop by a person. Source: docker run reference, "Restart policies (--restart)".
 */
export function shouldStartWithDaemon(policy: RestartPolicy, life: Omit<Life, "duration">): boolean {
  const isManuallyStopped = policy.name !== "always" && life.isManuallyStopped;
  return shouldRestart(policy, { ...life, isManuallyStopped, duration: 0 });
}
