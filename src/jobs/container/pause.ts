import { z } from "zod";
import { advance, type Step } from "#container";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { RunningContainer } from "#exec";
import type { Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";
import { within } from "./end.ts";

interface Needs {
  readonly containers: Pick<Rooms["containers"], "change" | "hold">;
  readonly monitor: Pick<Rooms["monitor"], "running">;
  readonly health: Pick<Rooms["health"], "pause" | "resume">;
  readonly events: Pick<Rooms["events"], "publish">;
}

/** How soon a process is known to have ended whose group has gone. Milliseconds. */
const END_PATIENCE = 1000;

const Input = z.object({ ref: z.string().min(1) });

/** Freezes all processes of a running container. */
export const pauseContainer = (needs: Needs) =>
  defineJob({
    name: "container.pause",
    input: Input,

    async run({ ref }, { signal }) {
      await using held = await needs.containers.hold(ref, signal);
      const { status } = held.container.state;
      if (status === "paused") throw new Fault("conflict", `Container ${held.id} is already paused`);
      if (status === "restarting")
        throw new Fault(
          "conflict",
          `Container ${held.id} is restarting, wait until the container is running`,
        );
      const process = needs.monitor.running(held.container);
      await turn(needs, { id: held.id, step: "pause", work: () => process.pause(), process });
      return {};
    },
  });

/** Lets a paused container go on. */
export const unpauseContainer = (needs: Needs) =>
  defineJob({
    name: "container.unpause",
    input: Input,

    async run({ ref }, { signal }) {
      await using held = await needs.containers.hold(ref, signal);
      if (held.container.state.status !== "paused")
        throw new Fault("conflict", `Container ${held.id} is not paused`);
      const process = needs.monitor.running(held.container);
      await turn(needs, { id: held.id, step: "resume", work: () => process.resume(), process });
      return {};
    },
  });

async function turn(
  needs: Needs,
  action: {
    readonly id: string;
    readonly step: Step & ("pause" | "resume");
    readonly work: () => Promise<void>;
    readonly process: RunningContainer;
  },
): Promise<void> {
  const { id, step, work, process } = action;
  await work().catch(async (thrown) => {
    // Its group goes with its last process.
    throw (await within(process.exited, END_PATIENCE)) ? notRunning(id) : thrown;
  });
  await using undo = new AsyncDisposableStack();
  undo.defer(() => (step === "pause" ? process.resume() : process.pause()));
  const changed = needs.containers.change(
    id,
    (container) => ({
      ...container,
      state: { ...container.state, status: advance(container.state.status, step) },
    }),
    { durable: false },
  );
  undo.move();
  if (step === "pause") needs.health.pause(id);
  else needs.health.resume(id);
  announcer(needs.events)(changed, step === "pause" ? "pause" : "unpause");
}

function notRunning(id: string): Fault {
  return new Fault("conflict", `Container ${id} is not running`);
}
