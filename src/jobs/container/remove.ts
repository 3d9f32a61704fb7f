import { z } from "zod";
import { type Container, SIGKILL } from "#container";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Rooms } from "../rooms.ts";
import { type EndNeeds, endProcess } from "./end.ts";
import { removeLink } from "./links.ts";
import { type RemovalNeeds, removeHeld } from "./removal.ts";
import { markStopped } from "./stop.ts";

type Needs = RemovalNeeds &
  EndNeeds & {
    readonly containers: Pick<
      Rooms["containers"],
      "change" | "claimRemoval" | "find" | "get" | "hold" | "links" | "remove"
    >;
    readonly networks: Pick<Rooms["networks"], "endpoints" | "relink">;
    readonly monitor: Pick<Rooms["monitor"], "cancelRestart" | "committed" | "live" | "removed">;
  };

/** Removes a container; with `force` it is killed first. Once begun it goes on when its client has gone. */
export const removeContainer = (needs: Needs) =>
  defineJob({
    name: "container.remove",
    input: z.object({
      ref: z.string().min(1),
      force: z.boolean(),
      volumes: z.boolean(),
      link: z.boolean(),
    }),

    async run({ ref, force, volumes, link }) {
      if (link) {
        await removeLink(needs, ref);
        return {};
      }
      await remove(needs, { ref, force, volumes });
      return {};
    },
  });

export async function remove(
  needs: Needs,
  { ref, force, volumes }: { readonly ref: string; readonly force: boolean; readonly volumes: boolean },
): Promise<void> {
  using claim = needs.containers.claimRemoval(ref);
  if (force) await kill(needs, claim.id);
  await using held = await needs.containers.hold(claim.id);
  const { container } = held;
  const { status } = container.state;
  if (status === "running" || status === "paused" || status === "restarting") throw inTheWay(container);
  await removeHeld(needs, container, { volumes });
}

async function kill(needs: Needs, id: string): Promise<void> {
  const container = await mark(needs, id);
  if (container !== undefined) await endProcess(needs, container, { signal: SIGKILL, timeoutSeconds: 0 });
}

async function mark(needs: Needs, id: string): Promise<Container | undefined> {
  await using held = await needs.containers.hold(id);
  const { status } = held.container.state;
  if (status !== "running" && status !== "paused" && status !== "restarting") return undefined;
  const container = markStopped(needs, held.container);
  needs.monitor.cancelRestart(id);
  return container;
}

function inTheWay({ name, state }: Container): Fault {
  const advice =
    state.status === "paused"
      ? "unpause and then stop the container before removing or force remove"
      : "stop the container before removing or force remove";
  return new Fault("conflict", `cannot remove container "/${name}": container is ${state.status}: ${advice}`);
}
