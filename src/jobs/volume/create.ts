import { z } from "zod";
import { defineJob } from "#engine";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly volumes: Pick<Rooms["volumes"], "create" | "find">;
  readonly events: Pick<Rooms["events"], "publish">;
}

const Texts = z.record(z.string(), z.string());

/** Makes a volume, or hands out the one there is by that name. */
export const createVolume = (needs: Needs) =>
  defineJob({
    name: "volume.create",
    input: z.object({
      name: z.string().optional(),
      driver: z.string().optional(),
      labels: Texts,
      options: Texts,
    }),

    async run({ name, driver, labels, options }) {
      const isNew = name === undefined || needs.volumes.find(name) === undefined;
      const volume = await needs.volumes.create({
        ...(name !== undefined && name !== "" && { name }),
        ...(driver !== undefined && driver !== "" && { driver }),
        labels,
        options,
      });
      if (isNew)
        needs.events.publish({
          type: "volume",
          action: "create",
          id: volume.name,
          attributes: { driver: volume.driver },
        });
      return volume;
    },
  });
