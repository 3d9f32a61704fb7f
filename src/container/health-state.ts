import type { Container, ContainerSpec } from "./record.ts";
import { parseTimestamp } from "./time.ts";

export type HealthStatus = "starting" | "healthy" | "unhealthy";

/** One check that was run. Times are RFC 3339. */
export interface HealthResult {
  readonly start: string;
  readonly end: string;
  /** 0 is healthy; -1 when it took too long or could not be run. */
  readonly exitCode: number;
  readonly output: string;
}

/** What checks have found of a container. */
export interface Health {
  readonly status: HealthStatus;
  /** Failures since the last success. */
  readonly failingStreak: number;
  /** The last few, oldest first. */
  readonly log: readonly HealthResult[];
}

/** Times in milliseconds. */
export interface HealthPlan {
  /** The command and its arguments; `CMD-SHELL` goes through the shell. */
  readonly args: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  /** Failures this soon after the start do not count. */
  readonly startPeriod: number;
  /** In place of the interval, while the start period lasts and the container has not been healthy. */
  readonly startInterval: number;
  readonly retries: number;
}

/** Source: Dockerfile reference, HEALTHCHECK. */
const DEFAULTS = { interval: 30_000, timeout: 30_000, startPeriod: 0, startInterval: 5000, retries: 3 };
const SHELL: readonly string[] = ["/bin/sh", "-c"];
const KEPT_RESULTS = 5;
const NANOSECONDS = 1_000_000;

/** What is to be run in a container, and when. Undefined when nothing is: `NONE`, no check, or one of an unknown kind. */
export function healthPlan({ effective }: Pick<Container, "effective">): HealthPlan | undefined {
  const check = effective.healthcheck;
  const args = argsOf(check, effective.shell);
  if (check === undefined || args === undefined) return undefined;
  const time = (value: number | undefined, usual: number) => (value ? value / NANOSECONDS : usual);
  return {
    args,
    interval: time(check.interval, DEFAULTS.interval),
    timeout: time(check.timeout, DEFAULTS.timeout),
    startPeriod: time(check.startPeriod, DEFAULTS.startPeriod),
    startInterval: time(check.startInterval, DEFAULTS.startInterval),
    retries: check.retries || DEFAULTS.retries,
  };
}

function argsOf(check: ContainerSpec["healthcheck"], shell = SHELL): readonly string[] | undefined {
  const [kind, ...words] = check?.test ?? [];
  if (kind === "CMD") return words;
  return kind === "CMD-SHELL" ? [...shell, ...words] : undefined;
}

/** As a life begins. What was found of earlier lives stays in the log. */
export function startingHealth(container: Container): { readonly health?: Health } {
  if (healthPlan(container) === undefined) return {};
  return { health: { status: "starting", failingStreak: 0, log: container.state.health?.log ?? [] } };
}

/** While nothing checks it, paused or ended: unhealthy, as Docker has it. */
export function uncheckedHealth({ state }: Container): { readonly health?: Health } {
  return state.health === undefined ? {} : { health: { ...state.health, status: "unhealthy" } };
}

/** After one more check. Source: Dockerfile reference, HEALTHCHECK, on the start period and the retries. */
export function judgedHealth(container: Container, plan: HealthPlan, result: HealthResult): Health {
  const { status, failingStreak, log } = container.state.health ?? {
    status: "starting" as const,
    failingStreak: 0,
    log: [],
  };
  const kept = [...log, result].slice(-KEPT_RESULTS);
  if (result.exitCode === 0) return { status: "healthy", failingStreak: 0, log: kept };
  const age = ageOf(container, parseTimestamp(result.start) ?? 0n);
  if (status === "starting" && age < plan.startPeriod) return { status, failingStreak, log: kept };
  const streak = failingStreak + 1;
  return { status: streak >= plan.retries ? "unhealthy" : status, failingStreak: streak, log: kept };
}

/** How long until the next check, in milliseconds. `now` in nanoseconds since the epoch. */
export function delayOfCheck(container: Container, plan: HealthPlan, now: bigint): number {
  const isStarting =
    container.state.health?.status === "starting" && ageOf(container, now) < plan.startPeriod;
  return isStarting ? plan.startInterval : plan.interval;
}

/** Milliseconds since its start. */
function ageOf({ state }: Container, now: bigint): number {
  return Number(now - (parseTimestamp(state.startedAt) ?? now)) / NANOSECONDS;
}

/** As Go prints a duration, for that is how clients know it: `1m30s`, `1.5s`, `200ms`. */
export function goDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${trimmed(milliseconds)}ms`;
  const hours = Math.floor(milliseconds / 3_600_000);
  const minutes = Math.floor(milliseconds / 60_000) % 60;
  const seconds = `${trimmed((milliseconds % 60_000) / 1000)}s`;
  return hours > 0 ? `${hours}h${minutes}m${seconds}` : minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

const trimmed = (value: number): string => String(Number(value.toFixed(9)));
