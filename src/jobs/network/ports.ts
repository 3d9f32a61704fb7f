import { z } from "zod";
import { defineJob } from "#engine";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly networks: Pick<Rooms["networks"], "publishedPorts">;
}

/** Each published port of a running container, who holds it and who can reach it. */
export const listPublishedPorts = (needs: Needs) =>
  defineJob({
    name: "network.ports",
    input: z.object({}),
    run: async () => needs.networks.publishedPorts(),
  });
