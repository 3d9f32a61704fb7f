import { z } from "zod";
import { sync, unpack } from "#archive";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import { noSuchVolume } from "#volume";
import type { Rooms } from "../rooms.ts";
import { dressLike } from "./reading.ts";

interface Needs {
  readonly volumes: Pick<Rooms["volumes"], "find" | "replace">;
}

/** Puts a tar archive, compressed or not, in the place of a volume's content: all of it or nothing. */
export const importVolume = (needs: Needs) =>
  defineJob({
    name: "volume.import",
    input: z.object({ name: z.string().min(1) }),

    async run({ name }, { signal, streams }) {
      const volume = needs.volumes.find(name);
      if (volume === undefined) throw noSuchVolume(name);
      const { input } = streams;
      if (input === undefined)
        throw new Fault("invalid", `Cannot import into the volume ${name}: the request has no body`);
      await needs.volumes.replace(name, async (directory) => {
        // Where the archive says nothing of it.
        await dressLike(volume.mountpoint, directory);
        await unpack({ directory, whiteouts: "keep", bytes: input, signal });
        await sync(directory, signal);
      });
      return {};
    },
  });
