import { z } from "zod";
import { defineJob } from "#engine";
import type { Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";
import { type LifeNeeds, lives } from "./lives.ts";
import { type StopNeeds, stop } from "./stop.ts";

type Needs = LifeNeeds &
  StopNeeds & {
    readonly containers: Pick<Rooms["containers"], "change" | "find" | "get" | "hold">;
    readonly monitor: Pick<Rooms["monitor"], "forgetDelays" | "keep">;
  };

/** Stops a container if it runs, and starts it. Once begun it goes on when its client has gone. */
export const restartContainer = (needs: Needs) => {
  const { launch } = lives(needs);
  return defineJob({
    name: "container.restart",
    input: z.object({
      ref: z.string().min(1),
      timeoutSeconds: z.number().int().optional(),
      signal: z.string().optional(),
    }),

    async run({ ref, timeoutSeconds, signal }) {
      const { id } = needs.containers.find(ref);
      // Its end now is not its end: `--rm` has to wait.
      using _kept = needs.monitor.keep(id);
      await stop(needs, { ref: id, timeoutSeconds, signal });
      await using held = await needs.containers.hold(id);
      needs.monitor.forgetDelays(id);
      // Somebody else may have been faster with the start.
      if (held.container.state.status !== "running") await launch({ ...held.container, restartCount: 0 });
      announcer(needs.events)(held.container, "restart");
      return {};
    },
  });
};
