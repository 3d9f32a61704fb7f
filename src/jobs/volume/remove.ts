import { z } from "zod";
import { defineJob } from "#engine";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly volumes: Pick<Rooms["volumes"], "find" | "remove">;
  readonly events: Pick<Rooms["events"], "publish">;
}

/** Removes a volume that no container refers to. With `force` a missing one is fine. */
export const removeVolume = (needs: Needs) =>
  defineJob({
    name: "volume.remove",
    input: z.object({ name: z.string().min(1), force: z.boolean() }),

    async run({ name, force }) {
      const volume = needs.volumes.find(name);
      await needs.volumes.remove(name, { force });
      if (volume !== undefined)
        needs.events.publish({
          type: "volume",
          action: "destroy",
          id: name,
          attributes: { driver: volume.driver },
        });
      return {};
    },
  });
