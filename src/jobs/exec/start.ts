import { z } from "zod";
import { defineJob } from "#engine";
import { sentenceOf } from "#errors";
import type { ExitRecord, PreparedExec } from "#exec";
import { announcer } from "../container/announce.ts";
import { exitCodeOf } from "../container/launch.ts";
import { withLinks } from "../container/links.ts";
import { original } from "../container/original.ts";
import { Size } from "../container/resize.ts";
import { execProcess } from "../container/runtime-spec.ts";
import type { Rooms } from "../rooms.ts";
import type { ExecSpec } from "../types.ts";
import { checkRuns } from "./create.ts";

interface Needs {
  readonly containers: Pick<Rooms["containers"], "find" | "get" | "links">;
  readonly networks: Pick<Rooms["networks"], "endpoints">;
  readonly monitor: Pick<Rooms["monitor"], "running">;
  readonly execs: Pick<Rooms["execs"], "begin" | "ended" | "started" | "view">;
  readonly events: Pick<Rooms["events"], "publish">;
  readonly settings: Pick<Rooms["settings"], "defaults">;
}

/** Source: docker exec reference, exit status. */
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

type ConsoleSize = NonNullable<ExecSpec["consoleSize"]>;

/**
 * Runs a command that was written down before. When an attached one cannot be run, `failure` says why: its
 * client's stream is open by then, and there the words belong.
 */
export const startExec = (needs: Needs) =>
  defineJob({
    name: "exec.start",
    input: z.object({
      id: z.string().min(1),
      attach: z.boolean(),
      tty: z.boolean().optional(),
      consoleSize: z.object({ rows: Size, columns: Size }).optional(),
    }),

    async run({ id: ref, attach, consoleSize }) {
      const { id, containerId, spec } = needs.execs.view(ref);
      const container = needs.containers.find(containerId);
      checkRuns(container, containerId);
      needs.execs.begin(id);
      const announce = announcer(needs.events);
      announce(container, `exec_start: ${spec.args.join(" ")}`, { execID: id });
      const end = (exit: Pick<ExitRecord, "code"> & { readonly pid?: number }) => {
        needs.execs.ended(id, exit);
        announce(needs.containers.get(containerId) ?? container, "exec_die", {
          execID: id,
          exitCode: String(exit.code),
        });
      };
      try {
        const size = consoleSize ?? spec.consoleSize;
        return await start(needs, { id, attach, spec, end, ...(size !== undefined && { size }) });
      } catch (thrown) {
        const cause = original(thrown);
        const failure = sentenceOf(cause);
        const exit = { code: failedCode(failure), outOfMemory: false, time: BigInt(Date.now()) * 1_000_000n };
        end(exit);
        if (!attach) throw cause;
        return { tty: spec.tty, failure, exited: Promise.resolve(exit) };
      }
    },
  });

async function start(
  needs: Needs,
  request: {
    readonly id: string;
    readonly attach: boolean;
    readonly spec: ExecSpec;
    readonly size?: ConsoleSize;
    readonly end: (exit: Pick<ExitRecord, "code"> & { readonly pid?: number }) => void;
  },
) {
  const { id, attach, spec, size, end } = request;
  const container = needs.containers.find(needs.execs.view(id).containerId);
  await using prepared = await needs.monitor.running(container).exec({
    execId: id,
    process: execProcess(withLinks(needs, container), spec, needs.settings.defaults),
    stdin: attach && spec.attachStdin,
    privileged: spec.privileged,
    ...(size !== undefined && { consoleSize: size }),
  });
  const stream = attach ? await connect(prepared, spec) : undefined;
  const process = await prepared.start();
  needs.execs.started(id, process);
  const exited = process.exited.then((exit) => {
    end({ code: exit.code, pid: process.pid });
    return exit;
  });
  return { tty: spec.tty, exited, ...(stream !== undefined && { stream }) };
}

/** Before it runs, so that no byte is missed. */
function connect(prepared: PreparedExec, spec: ExecSpec) {
  return prepared.attach({
    stdin: spec.attachStdin,
    stdout: spec.attachStdout,
    stderr: spec.attachStderr,
  });
}

/** As of a container; what has no code of its own counts as not executable. */
function failedCode(message: string): number {
  const code = exitCodeOf(message);
  return code > NOT_FOUND ? NOT_EXECUTABLE : code;
}
