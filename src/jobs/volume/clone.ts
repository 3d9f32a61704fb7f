import { z } from "zod";
import { copyTree, sync } from "#archive";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import { ANONYMOUS_LABEL } from "#volume";
import type { Rooms } from "../rooms.ts";
import { type ReadingNeeds, readVolume } from "./reading.ts";

type Needs = ReadingNeeds & {
  readonly volumes: Pick<Rooms["volumes"], "create">;
  readonly events: Pick<Rooms["events"], "publish">;
};

/** A new volume with the content, labels and size limit of another; blocks are shared where the file system can. */
export const cloneVolume = (needs: Needs) =>
  defineJob({
    name: "volume.clone",
    input: z.object({ name: z.string().min(1), target: z.string(), live: z.boolean() }),

    async run({ name, target, live }, { signal }) {
      if (target === "")
        throw new Fault("invalid", `Cannot clone the volume ${name}: name the new volume as well`);
      await using source = await readVolume(needs, name, { isLive: live });
      const { [ANONYMOUS_LABEL]: _, ...labels } = source.volume.labels;
      const { size } = source.volume.options;
      const volume = await needs.volumes.create({
        name: target,
        labels,
        options: size === undefined ? {} : { size },
        fill: async (directory) => {
          await copyTree({ from: source.path, to: directory, style: "new", signal });
          await sync(directory, signal);
        },
      });
      const attributes = { driver: volume.driver };
      needs.events.publish({ type: "volume", action: "create", id: volume.name, attributes });
      return volume;
    },
  });
