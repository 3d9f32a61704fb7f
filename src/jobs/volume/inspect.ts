import { z } from "zod";
import { defineJob } from "#engine";
import { noSuchVolume } from "#volume";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly volumes: Pick<Rooms["volumes"], "find">;
}

export const inspectVolume = (needs: Needs) =>
  defineJob({
    name: "volume.inspect",
    input: z.object({ name: z.string().min(1) }),

    async run({ name }) {
      const volume = needs.volumes.find(name);
      if (volume === undefined) throw noSuchVolume(name);
      return volume;
    },
  });
