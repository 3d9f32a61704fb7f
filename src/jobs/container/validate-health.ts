import type { ContainerSpec } from "#container";
import { Fault } from "#errors";

/** One millisecond, in nanoseconds. */
const SHORTEST = 1_000_000;

/** Refuses a health check whose times mean nothing, in Docker's words. Throws `invalid`. */
export function checkHealth({ healthcheck: check }: Pick<ContainerSpec, "healthcheck">): void {
  if (check === undefined) return;
  const times = {
    Interval: check.interval,
    Timeout: check.timeout,
    StartPeriod: check.startPeriod,
    StartInterval: check.startInterval,
  };
  for (const [name, value = 0] of Object.entries(times))
    if (value !== 0 && value < SHORTEST)
      throw new Fault("invalid", `${name} in Healthcheck cannot be less than 1ms`);
  if ((check.retries ?? 0) < 0) throw new Fault("invalid", "Retries in Healthcheck cannot be negative");
}
