import { z } from "zod";
import type { Container } from "#container";
import { defineJob } from "#engine";
import type { EngineSettings, Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";
import { type EndNeeds, endProcess, stopSignalOf } from "./end.ts";

export type StopNeeds = EndNeeds & {
  readonly containers: Pick<Rooms["containers"], "change" | "hold" | "get">;
  readonly monitor: Pick<Rooms["monitor"], "cancelRestart" | "committed" | "live">;
  readonly settings: Pick<EngineSettings, "stopTimeoutSeconds">;
};

interface StopRequest {
  readonly ref: string;
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: string | undefined;
}

/**
 * Stops a container and keeps it from being started again by its policy. It is held only for a moment: a kill need
 * not wait for a slow stop. It goes on when its client has gone.
 */
export const stopContainer = (needs: StopNeeds) =>
  defineJob({
    name: "container.stop",
    input: z.object({
      ref: z.string().min(1),
      timeoutSeconds: z.number().int().optional(),
      signal: z.string().optional(),
    }),

    run: async (request) => ({ changed: await stop(needs, request) }),
  });

/** Whether there was anything to stop. */
export async function stop(needs: StopNeeds, request: StopRequest): Promise<boolean> {
  const marked = await mark(needs, request);
  if (marked === undefined) return false;
  const { container, signal } = marked;
  const timeoutSeconds =
    request.timeoutSeconds ?? container.spec.stopTimeoutSeconds ?? needs.settings.stopTimeoutSeconds;
  await endProcess(needs, container, { signal, timeoutSeconds });
  announcer(needs.events)(needs.containers.get(container.id) ?? container, "stop");
  return true;
}

/** Writes down that a person stopped it: `unless-stopped` remembers that across restarts of the daemon. */
async function mark(
  needs: StopNeeds,
  request: StopRequest,
): Promise<{ readonly container: Container; readonly signal: number } | undefined> {
  await using held = await needs.containers.hold(request.ref);
  const { status } = held.container.state;
  const signal = stopSignalOf(held.container, request.signal);
  if (status !== "running" && status !== "paused" && status !== "restarting") return undefined;
  const container = markStopped(needs, held.container);
  needs.monitor.cancelRestart(held.id);
  return { container, signal };
}

/** Durable only where a later start of the daemon would act on it. */
export function markStopped(
  needs: { readonly containers: Pick<Rooms["containers"], "change"> },
  container: Container,
): Container {
  if (container.isManuallyStopped) return container;
  const durable = container.spec.host.restartPolicy.name === "unless-stopped";
  return needs.containers.change(container.id, (current) => ({ ...current, isManuallyStopped: true }), {
    durable,
  });
}
