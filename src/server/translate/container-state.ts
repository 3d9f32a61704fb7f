import type { ContainerState, ContainerSummary } from "#api";
import type { Container } from "#jobs";
import { humanDuration } from "./time.ts";

/** The State of inspect. A paused container counts as running, and so does one that waits for its restart. */
export function toContainerState({ state }: Container): ContainerState {
  const { status } = state;
  return {
    Status: status,
    Running: status === "running" || status === "paused" || status === "restarting",
    Paused: status === "paused",
    Restarting: status === "restarting",
    OOMKilled: state.outOfMemory,
    Dead: status === "dead",
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
    ...(state.health !== undefined && { Health: toHealth(state.health) }),
  };
}

function toHealth({ status, failingStreak, log }: NonNullable<Container["state"]["health"]>) {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({
      Start: start,
      End: end,
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

/** In a list, since API 1.52: `none` also for what does not run. */
export function toHealthSummary({ state }: Container): NonNullable<ContainerSummary["Health"]> {
  const isRunning = state.status === "running" || state.status === "paused";
  if (state.health === undefined || !isRunning) return { Status: "none", FailingStreak: 0 };
  return { Status: state.health.status, FailingStreak: state.health.failingStreak };
}

function healthText(status: string | undefined): string {
  return status === undefined ? "" : ` (${status === "starting" ? "health: starting" : status})`;
}

/** The STATUS column of `docker ps`: "Up 3 minutes", "Up 3 minutes (healthy)", "Exited (0) 2 hours ago", "Created". */
export function toStatusText({ state }: Container, now: Date): string {
  const since = (time: string) => humanDuration(Math.max(0, (now.getTime() - Date.parse(time)) / 1000));
  switch (state.status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${since(state.startedAt)}${healthText(state.health?.status)}`;
    case "paused":
      return `Up ${since(state.startedAt)} (Paused)`;
    case "restarting":
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case "exited":
      return `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
  }
}
