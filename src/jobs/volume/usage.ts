import { z } from "zod";
import { measureTree } from "#archive";
import { defineJob } from "#engine";
import type { Volume } from "#volume";
import type { Rooms } from "../rooms.ts";

export interface MeasureNeeds {
  readonly volumes: Pick<Rooms["volumes"], "find" | "holdersOf" | "isFolder">;
}

interface Needs extends MeasureNeeds {
  readonly volumes: Pick<Rooms["volumes"], "find" | "holdersOf" | "isFolder" | "list" | "usersOf">;
}

/** All volumes with how much they hold and how many containers refer to them, for `system df`. */
export const measureVolumes = (needs: Needs) =>
  defineJob({
    name: "volume.usage",
    input: z.object({}),

    async run(_, { signal }) {
      const usage = [];
      for (const volume of needs.volumes.list()) {
        const sizeBytes = (await sizeOf(needs, volume, signal)) ?? -1;
        usage.push({ volume, sizeBytes, users: needs.volumes.usersOf(volume.name).length });
      }
      return usage;
    },
  });

/** Undefined for what is not a folder of this engine's own: another host's disk is not walked through. */
export async function sizeOf(
  needs: MeasureNeeds,
  volume: Volume,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (!needs.volumes.isFolder(volume.name)) return undefined;
  try {
    return await measureTree(volume.mountpoint, signal);
  } catch (thrown) {
    // It was removed meanwhile.
    if (needs.volumes.find(volume.name) === undefined) return undefined;
    throw thrown;
  }
}
