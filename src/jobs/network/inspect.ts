import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Rooms } from "../rooms.ts";
import { requireNetwork } from "./find.ts";

interface Needs {
  readonly networks: Pick<Rooms["networks"], "find" | "members">;
}

/** A network and the endpoints of the containers that run on it. */
export const inspectNetwork = (needs: Needs) =>
  defineJob({
    name: "network.inspect",
    input: z.object({ ref: z.string().min(1), scope: z.string().optional() }),

    async run({ ref, scope }) {
      const network = requireNetwork(needs.networks, ref);
      if (scope !== undefined && scope !== "" && scope !== network.scope)
        throw new Fault("not_found", `network ${ref.slice(0, 256)} not found`);
      return { network, endpoints: needs.networks.members(network.id) };
    },
  });
