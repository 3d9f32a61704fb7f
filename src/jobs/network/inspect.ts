import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly networks: Pick<Rooms["networks"], "endpoints" | "find">;
  readonly containers: Pick<Rooms["containers"], "list">;
}

/** A network and the endpoints of the containers that run on it. */
export const inspectNetwork = (needs: Needs) =>
  defineJob({
    name: "network.inspect",
    input: z.object({ ref: z.string().min(1) }),

    async run({ ref }) {
      const network = needs.networks.find(ref);
      if (network === undefined) throw new Fault("not_found", `network ${ref.slice(0, 256)} not found`);
      const endpoints = needs.containers.list().flatMap(({ id, name }) =>
        needs.networks
          .endpoints(id)
          .endpoints.filter(({ networkId }) => networkId === network.id)
          .map((endpoint) => ({ containerId: id, name, endpoint })),
      );
      return { network, endpoints };
    },
  });
