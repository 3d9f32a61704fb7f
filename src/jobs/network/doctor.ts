import { z } from "zod";
import { defineJob } from "#engine";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly networks: Pick<Rooms["networks"], "diagnose">;
}

/** What was looked at of this host's network, and what is missing. */
export const diagnoseNetworks = (needs: Needs) =>
  defineJob({
    name: "network.doctor",
    input: z.object({}),
    run: () => needs.networks.diagnose(),
  });
