import { z } from "zod";
import { defineJob } from "#engine";
import type { NetworkRequest } from "#network";
import type { Rooms } from "../rooms.ts";
import { announceNetwork } from "./announce.ts";

interface Needs {
  readonly networks: Pick<Rooms["networks"], "create">;
  readonly events: Pick<Rooms["events"], "publish">;
}

const Input = z.custom<NetworkRequest>((value) => typeof value === "object" && value !== null);

/** Makes a network on this host and writes it down. What is already there of one that cannot be made goes again. */
export const createNetwork = (needs: Needs) =>
  defineJob({
    name: "network.create",
    input: Input,

    async run(request) {
      const { network, warning } = await needs.networks.create(request);
      announceNetwork(needs.events, network, "create");
      return { id: network.id, warning };
    },
  });
