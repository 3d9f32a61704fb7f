import { z } from "zod";
import { defineJob } from "#engine";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly execs: Pick<Rooms["execs"], "view">;
}

/** What is known of a command, also after it has ended. */
export const inspectExec = (needs: Needs) =>
  defineJob({
    name: "exec.inspect",
    input: z.object({ id: z.string().min(1) }),

    run: async ({ id }) => needs.execs.view(id),
  });
