import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import { tryRun } from "#host";
import type { Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";

const DEFAULT_ARGUMENTS = ["-ef"];
const PID_TITLE = "PID";

interface Needs {
  readonly containers: Pick<Rooms["containers"], "find">;
  readonly monitor: Pick<Rooms["monitor"], "running">;
  readonly events: Pick<Rooms["events"], "publish">;
}

/** Runs the host's `ps` with the given arguments and keeps the container's processes. */
export const containerTop = (needs: Needs) =>
  defineJob({
    name: "container.top",
    input: z.object({ ref: z.string().min(1), psArgs: z.array(z.string()) }),

    async run({ ref, psArgs }, { signal }) {
      const container = needs.containers.find(ref);
      if (container.state.status === "restarting")
        throw new Fault(
          "conflict",
          `Container ${container.id} is restarting, wait until the container is running`,
        );
      const pids = await needs.monitor.running(container).processes();
      const args = psArgs.length === 0 ? DEFAULT_ARGUMENTS : psArgs;
      const { code, stdout, stderr } = await tryRun(["ps", ...args], { signal });
      if (code !== 0)
        throw new Fault("invalid", `ps: ${stderr.trim().split("\n")[0] || `it ended with ${code}`}`);
      const table = parseProcesses(stdout, new Set(pids));
      announcer(needs.events)(container, "top");
      return table;
    },
  });

/** The table that ps printed, only of these pids. The last column keeps its spaces. Throws `invalid` without a PID column. */
export function parseProcesses(text: string, pids: ReadonlySet<number>) {
  const [head = "", ...lines] = text.split("\n");
  const titles = head.trim().split(/\s+/);
  const column = titles.indexOf(PID_TITLE);
  if (column < 0) throw new Fault("invalid", "Couldn't find PID field in ps output");
  const processes = lines
    .filter((line) => line.trim() !== "")
    .map((line) => cut(line.trim(), titles.length))
    .filter((fields) => pids.has(Number(fields[column])));
  return { titles, processes };
}

function cut(line: string, count: number): readonly string[] {
  const words = line.split(/\s+/);
  if (words.length <= count) return words;
  const last = new RegExp(`^(?:\\S+\\s+){${count - 1}}(.*)$`).exec(line)?.[1] ?? "";
  return [...words.slice(0, count - 1), last];
}
