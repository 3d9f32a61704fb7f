import { z } from "zod";
import { defineJob } from "#engine";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly containers: Pick<Rooms["containers"], "find">;
  readonly monitor: Pick<Rooms["monitor"], "wait">;
}

/** Puts a wait in place. It is in place when the job has ended; `result` settles when it is over. */
export const waitContainer = (needs: Needs) =>
  defineJob({
    name: "container.wait",
    input: z.object({
      ref: z.string().min(1),
      condition: z.enum(["not-running", "next-exit", "removed"]),
    }),

    async run({ ref, condition }, { signal }) {
      const wait = needs.monitor.wait(needs.containers.find(ref), condition);
      signal.addEventListener("abort", wait.cancel, { once: true });
      return wait;
    },
  });
