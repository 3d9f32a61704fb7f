import { z } from "zod";
import { defineJob } from "#engine";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly engine: Pick<Rooms["engine"], "list">;
}

/** The jobs that run and those that have ended lately. */
export const listJobs = (needs: Needs) =>
  defineJob({
    name: "job.list",
    input: z.object({}),

    run: async () => needs.engine.list(),
  });
