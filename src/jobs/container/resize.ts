import { z } from "zod";
import { defineJob } from "#engine";
import type { Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";

/** A terminal's size is two 16-bit numbers in the kernel. Source: ioctl_tty(2), struct winsize. */
export const Size = z.number().int().min(0).max(65535);

interface Needs {
  readonly containers: Pick<Rooms["containers"], "find">;
  readonly monitor: Pick<Rooms["monitor"], "running">;
  readonly events: Pick<Rooms["events"], "publish">;
}

/** Tells the terminal of a running container its size. */
export const resizeContainer = (needs: Needs) =>
  defineJob({
    name: "container.resize",
    input: z.object({ ref: z.string().min(1), rows: Size, columns: Size }),

    async run({ ref, rows, columns }) {
      const container = needs.containers.find(ref);
      await needs.monitor.running(container).resize({ rows, columns });
      announcer(needs.events)(container, "resize", { height: String(rows), width: String(columns) });
      return {};
    },
  });
