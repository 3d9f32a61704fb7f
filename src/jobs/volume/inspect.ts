import { z } from "zod";
import { defineJob } from "#engine";
import { noSuchVolume, type VolumeView } from "#volume";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly volumes: Pick<Rooms["volumes"], "discover" | "find" | "view">;
}

/** A volume, with what its driver tells of it. */
export const inspectVolume = (needs: Needs) =>
  defineJob({
    name: "volume.inspect",
    input: z.object({ name: z.string().min(1) }),

    async run({ name }) {
      await needs.volumes.discover(name);
      const volume = needs.volumes.find(name);
      if (volume === undefined) throw noSuchVolume(name);
      // A driver that does not answer takes nothing from the record.
      const { mountpoint, status } = await needs.volumes.view(name).catch(() => volume as VolumeView);
      return { ...volume, mountpoint, ...(status !== undefined && { status }) };
    },
  });
