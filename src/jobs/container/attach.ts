import { z } from "zod";
import type { Container } from "#container";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { AttachStreams } from "#exec";
import type { Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";
import { readContainerLog } from "./log/read.ts";

interface Needs {
  readonly containers: Pick<Rooms["containers"], "find">;
  readonly monitor: Pick<Rooms["monitor"], "live">;
  readonly attachments: Pick<Rooms["attachments"], "wait">;
  readonly events: Pick<Rooms["events"], "publish">;
}

/** Joins a client to a container's streams, at once when it runs, else as soon as it starts. */
export const attachContainer = (needs: Needs) =>
  defineJob({
    name: "container.attach",
    input: z.object({
      ref: z.string().min(1),
      stdin: z.boolean(),
      stdout: z.boolean(),
      stderr: z.boolean(),
      stream: z.boolean(),
      logs: z.boolean(),
      detachKeys: z.string(),
    }),

    async run({ ref, stdin, stdout, stderr, logs }) {
      const container = needs.containers.find(ref);
      const { id, state, spec } = container;
      if (state.status === "paused")
        throw new Fault("conflict", `container ${id} is paused, unpause the container before attach`);
      if (state.status === "restarting")
        throw new Fault("conflict", `container ${id} is restarting, wait until the container is running`);
      const streams = { stdin: stdin && spec.openStdin, stdout, stderr };
      const wish = { tty: spec.tty, stdout, stderr, timestamps: false, details: false };
      const backlog = logs ? readContainerLog(container, wish) : undefined;
      const { open, cancel } = join(needs, container, streams);
      announcer(needs.events)(container, "attach");
      return {
        tty: spec.tty,
        ...(backlog !== undefined && { backlog }),
        open,
        cancel,
      };
    },
  });

function join(needs: Needs, container: Container, streams: AttachStreams) {
  const process = needs.monitor.live(container.id);
  if (process === undefined) {
    const { socket, cancel } = needs.attachments.wait(container.id, streams);
    return { open: socket, cancel };
  }
  const open = process.attach(streams);
  // Its client may not look at it any more.
  open.catch(() => {});
  // The client may be gone before it is connected.
  const cancel = () =>
    void open.then(
      (socket) => socket.destroy(),
      () => {},
    );
  return { open, cancel };
}
