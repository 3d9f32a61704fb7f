import { z } from "zod";
import { defineJob } from "#engine";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly engine: Pick<Rooms["engine"], "cancel">;
}

/** Asks a running job to stop. */
export const cancelJob = (needs: Needs) =>
  defineJob({
    name: "job.cancel",
    input: z.object({ id: z.string().min(1) }),

    async run({ id }) {
      needs.engine.cancel(id);
      return {};
    },
  });
