import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Rooms } from "../rooms.ts";
import { readContainerLog } from "./log/read.ts";

const ALIVE = ["running", "paused", "restarting"];

interface Needs {
  readonly containers: Pick<Rooms["containers"], "find" | "get">;
  readonly monitor: Pick<Rooms["monitor"], "wait">;
}

/** Reads what a container has said and, with `follow`, goes on until it runs no more. */
export const containerLogs = (needs: Needs) =>
  defineJob({
    name: "container.logs",
    input: z.object({
      ref: z.string().min(1),
      follow: z.boolean(),
      stdout: z.boolean(),
      stderr: z.boolean(),
      since: z.bigint().optional(),
      until: z.bigint().optional(),
      tail: z.number().int().min(0).optional(),
      timestamps: z.boolean(),
      details: z.boolean(),
    }),

    async run({ ref, follow, since, until, tail, ...wanted }, { signal }) {
      const container = needs.containers.find(ref);
      if (!wanted.stdout && !wanted.stderr)
        throw new Fault("invalid", "Bad parameters: you must choose at least one stream");
      const { tty } = container.spec;
      const query = {
        ...wanted,
        tty,
        signal,
        ...(since !== undefined && { since }),
        ...(until !== undefined && { until }),
        ...(tail !== undefined && { tail }),
      };
      if (!follow) return { tty, pieces: readContainerLog(container, query) };
      const following = followed(needs, container.id);
      try {
        const pieces = readContainerLog(container, { ...query, follow: following });
        return { tty, pieces: givingUp(pieces, following) };
      } catch (thrown) {
        following.cancel();
        throw thrown;
      }
    },
  });

interface Following {
  isOver(): boolean;
  readonly ended: Promise<void>;
  cancel(): void;
}

/** A restart by the policy does not end it: the next life writes to the same log. */
function followed(needs: Needs, id: string): Following {
  let cancel = () => {};
  const isOver = () => !ALIVE.includes(needs.containers.get(id)?.state.status ?? "exited");
  const end = async () => {
    for (let container = needs.containers.get(id); container !== undefined && !isOver(); ) {
      const wait = needs.monitor.wait(container, "next-exit");
      cancel = wait.cancel;
      await wait.result;
      container = needs.containers.get(id);
    }
  };
  return { isOver, ended: end(), cancel: () => cancel() };
}

/** Nobody waits for the end of the container any more once nobody reads. */
async function* givingUp(
  pieces: AsyncGenerator<Uint8Array>,
  following: Following,
): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
  } finally {
    following.cancel();
  }
}
