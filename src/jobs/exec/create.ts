import { z } from "zod";
import type { Container } from "#container";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import { announcer } from "../container/announce.ts";
import type { Rooms } from "../rooms.ts";
import type { ExecSpec } from "../types.ts";

interface Needs {
  readonly containers: Pick<Rooms["containers"], "find">;
  readonly execs: Pick<Rooms["execs"], "create">;
  readonly events: Pick<Rooms["events"], "publish">;
}

/** Writes down a command to be run in a running container. */
export const createExec = (needs: Needs) =>
  defineJob({
    name: "exec.create",
    input: z.object({
      ref: z.string().min(1),
      spec: z.custom<ExecSpec>((value) => typeof value === "object" && value !== null),
    }),

    async run({ ref, spec }) {
      const container = needs.containers.find(ref);
      checkRuns(container, ref);
      if (spec.args.length === 0 || spec.args[0] === "")
        throw new Fault("invalid", "No exec command specified");
      const id = needs.execs.create(container.id, spec);
      announcer(needs.events)(container, `exec_create: ${spec.args.join(" ")}`, { execID: id });
      return { id };
    },
  });

/** Throws `conflict` in Docker's words unless commands can be run in it now. */
export function checkRuns({ id, state }: Container, ref: string): void {
  if (state.status === "running") return;
  if (state.status === "paused")
    throw new Fault("conflict", `Container ${ref} is paused, unpause the container before exec`);
  if (state.status === "restarting")
    throw new Fault("conflict", `Container ${ref} is restarting, wait until the container is running`);
  throw new Fault("conflict", `container ${id} is not running`);
}
