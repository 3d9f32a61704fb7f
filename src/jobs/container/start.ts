import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Rooms } from "../rooms.ts";
import { type LifeNeeds, lives } from "./lives.ts";
import { remover } from "./removal.ts";

type Needs = LifeNeeds & {
  readonly containers: Pick<Rooms["containers"], "change" | "hold" | "get">;
  readonly monitor: Pick<Rooms["monitor"], "forgetDelays" | "cancelRestart">;
};

/** Starts a container that does not run. Nothing it acquires stays when that fails. */
export const startContainer = (needs: Needs) => {
  const { launch } = lives(needs);
  const remove = remover(needs);
  return defineJob({
    name: "container.start",
    input: z.object({ ref: z.string().min(1) }),

    async run({ ref }, { signal }) {
      let id: string;
      {
        await using held = await needs.containers.hold(ref, signal);
        id = held.id;
        const { status } = held.container.state;
        if (status === "running") return { changed: false };
        if (status === "paused")
          throw new Fault("conflict", "cannot start a paused container, try unpause instead");
        if (status === "removing" || status === "dead")
          throw new Fault("conflict", `container is marked for removal and cannot be started: ${ref}`);
        needs.monitor.cancelRestart(held.id);
        needs.monitor.forgetDelays(held.id);
        try {
          await launch({ ...held.container, restartCount: 0 }, signal);
          return { changed: true };
        } catch (thrown) {
          if (!held.container.spec.host.autoRemove) throw thrown;
          await held[Symbol.asyncDispose]();
          await remove(id);
          throw thrown;
        }
      }
    },
  });
};
