import { z } from "zod";
import { defineJob } from "#engine";
import { Size } from "../container/resize.ts";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly execs: Pick<Rooms["execs"], "running">;
}

/** Tells the terminal of a running command its size. */
export const resizeExec = (needs: Needs) =>
  defineJob({
    name: "exec.resize",
    input: z.object({ id: z.string().min(1), rows: Size, columns: Size }),

    async run({ id, rows, columns }) {
      await needs.execs.running(id).resize({ rows, columns });
      return {};
    },
  });
