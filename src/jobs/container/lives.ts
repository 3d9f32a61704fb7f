import { type Afterlife, advance, type Container, type Monitor } from "#container";
import type { RunningContainer } from "#exec";
import type { Rooms } from "../rooms.ts";
import { type LaunchNeeds, launcher } from "./launch.ts";
import { type RemovalNeeds, remover } from "./removal.ts";

export type LifeNeeds = Omit<LaunchNeeds, "monitor" | "containers"> &
  RemovalNeeds & {
    readonly monitor: Pick<Monitor<RunningContainer>, "adopt" | "failed" | "forgetDelays">;
    readonly containers: Pick<Rooms["containers"], "believe" | "change" | "find" | "get" | "hold" | "links">;
    readonly exec: Pick<Rooms["exec"], "prepare" | "forget">;
    readonly complain: Rooms["complain"];
  };

/** Starting and ending containers, for the jobs that do and for the restart policy. */
export interface Lives {
  /** Starts a container that the caller holds. */
  launch(container: Container, signal?: AbortSignal): Promise<void>;
  /** What happens when it has ended. */
  readonly after: Afterlife;
}

export function lives(needs: LifeNeeds): Lives {
  const remove = remover(needs);
  const after: Afterlife = {
    settled: (id) => needs.exec.forget(id),
    restart: (id) => restart(needs, { id, launch }),
    remove: (id) => remove(id),
  };
  const launch = launcher(needs, after);
  return { launch, after };
}

/** The next life, unless a person has stopped or removed the container during the delay. */
async function restart(
  needs: LifeNeeds,
  { id, launch }: { readonly id: string; readonly launch: Lives["launch"] },
): Promise<void> {
  await using held = await needs.containers.hold(id);
  if (held.container.state.status !== "restarting") return;
  try {
    await launch(held.container);
  } catch (thrown) {
    // It stays exited with the reason on record, as a container does whose start by a person fails.
    needs.containers.change(id, (container) => ({
      ...container,
      state: { ...container.state, status: advance(container.state.status, "exit") },
    }));
    throw thrown;
  }
}
