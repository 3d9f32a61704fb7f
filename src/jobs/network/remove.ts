import { z } from "zod";
import { defineJob } from "#engine";
import type { Rooms } from "../rooms.ts";
import { announceNetwork } from "./announce.ts";

interface Needs {
  readonly networks: Pick<Rooms["networks"], "remove">;
  readonly events: Pick<Rooms["events"], "publish">;
}

/** Removes a network that no running container is on, and all that the host has of it; by force also a plugin's that is gone. */
export const removeNetwork = (needs: Needs) =>
  defineJob({
    name: "network.remove",
    input: z.object({ ref: z.string().min(1), force: z.boolean().default(false) }),

    async run({ ref, force }) {
      announceNetwork(needs.events, await needs.networks.remove(ref, { force }), "destroy");
      return {};
    },
  });
