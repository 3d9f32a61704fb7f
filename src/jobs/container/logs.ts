import { z } from "zod";
import { type LogEntry, readLog } from "#container";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Rooms } from "../rooms.ts";

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
    }),

    async run({ ref, follow, stdout, stderr, since, until, tail }, { signal }) {
      const { id, spec, logPath } = needs.containers.find(ref);
      if (!stdout && !stderr)
        throw new Fault("invalid", "Bad parameters: you must choose at least one stream");
      if (spec.host.logConfig.type === "none")
        throw new Fault("unsupported", "configured logging driver does not support reading");
      const following = follow ? followed(needs, id) : undefined;
      const entries = readLog(logPath, {
        signal,
        ...(since !== undefined && { since }),
        ...(until !== undefined && { until }),
        ...(tail !== undefined && { tail }),
        ...(following !== undefined && { follow: following }),
      });
      return { tty: spec.tty, lines: chosen(entries, { stdout, stderr, follow: following }) };
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

async function* chosen(
  entries: AsyncGenerator<LogEntry>,
  wanted: { readonly stdout: boolean; readonly stderr: boolean; readonly follow: Following | undefined },
): AsyncGenerator<LogEntry> {
  try {
    for await (const entry of entries) if (wanted[entry.stream]) yield entry;
  } finally {
    wanted.follow?.cancel();
  }
}
