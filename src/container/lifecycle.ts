import { Fault } from "#errors";

export type Status = "created" | "running" | "paused" | "restarting" | "exited" | "removing" | "dead";
export type Step = "start" | "pause" | "resume" | "exit" | "await-restart" | "remove" | "fail-removal";

const STEPS: Record<Status, Partial<Record<Step, Status>>> = {
  created: { start: "running", remove: "removing" },
  running: { pause: "paused", exit: "exited", "await-restart": "restarting" },
  paused: { resume: "running", exit: "exited", "await-restart": "restarting" },
  restarting: { start: "running", exit: "exited", remove: "removing" },
  exited: { start: "running", "await-restart": "restarting", remove: "removing" },
  removing: { "fail-removal": "dead" },
  dead: { remove: "removing" },
};

/** The one function that may change a status. */
export function advance(from: Status, step: Step): Status {
  const to = STEPS[from][step];
  if (to === undefined)
    throw new Fault("conflict", `Cannot ${step.replace("-", " ")} a container that is ${from}`);
  return to;
}
