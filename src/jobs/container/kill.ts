import { z } from "zod";
import { type Container, parseSignal, SIGKILL } from "#container";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Rooms } from "../rooms.ts";
import { type EndNeeds, endProcess, send, stopSignalOf } from "./end.ts";
import { markStopped } from "./stop.ts";

type Needs = EndNeeds & {
  readonly containers: Pick<Rooms["containers"], "change" | "get" | "hold">;
  readonly monitor: Pick<Rooms["monitor"], "cancelRestart" | "committed" | "live">;
};

/** Signals a container's first process. The stop signal and SIGKILL count as a stop by a person; others do not. */
export const killContainer = (needs: Needs) =>
  defineJob({
    name: "container.kill",
    input: z.object({ ref: z.string().min(1), signal: z.string() }),

    async run({ ref, signal }) {
      const number = parseSignal(signal === "" ? "SIGKILL" : signal);
      const { container, isEnd } = await mark(needs, { ref, number });
      const process = needs.monitor.live(container.id);
      if (process === undefined) {
        if (container.state.status === "restarting") return {};
        throw notRunning(ref, container.id);
      }
      // Whoever asks after a SIGKILL expects to find it dead; the kernel needs a moment.
      if (number === SIGKILL) await endProcess(needs, container, { signal: number, timeoutSeconds: 0 });
      else await send(needs, container, { process, signal: number, isThawing: isEnd });
      return {};
    },
  });

async function mark(
  needs: Needs,
  { ref, number }: { readonly ref: string; readonly number: number },
): Promise<{ readonly container: Container; readonly isEnd: boolean }> {
  await using held = await needs.containers.hold(ref);
  const { container } = held;
  const { status } = container.state;
  if (status !== "running" && status !== "paused" && status !== "restarting") throw notRunning(ref, held.id);
  const isEnd = number === SIGKILL || number === stopSignalOf(container);
  if (isEnd) {
    markStopped(needs, container);
    needs.monitor.cancelRestart(held.id);
  }
  return { container, isEnd };
}

function notRunning(ref: string, id: string): Fault {
  return new Fault("conflict", `cannot kill container: ${ref}: container ${id} is not running`);
}
