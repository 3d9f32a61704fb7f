import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Rooms } from "../rooms.ts";
import { announceNetwork } from "./announce.ts";
import { type ConnectNeeds, RUNNING, requireOwnNamespace } from "./connect.ts";
import { requireNetwork } from "./find.ts";

type Needs = Pick<ConnectNeeds, "containers" | "events"> & {
  readonly networks: Pick<Rooms["networks"], "disconnect" | "endpoints" | "find">;
};

const Input = z.object({ ref: z.string().min(1), container: z.string().min(1), force: z.boolean() });

/** Takes a container off a network, for good; `force` also when its namespace cannot be entered any more. */
export const disconnectNetwork = (needs: Needs) =>
  defineJob({
    name: "network.disconnect",
    input: Input,

    async run({ ref, container: who, force }, { signal }) {
      await using held = await needs.containers.hold(who, signal);
      const { container } = held;
      const network = requireNetwork(needs.networks, ref);
      requireOwnNamespace(container, network.name);
      const { endpoints } = needs.networks.endpoints(container.id);
      const isLive = endpoints.some(({ networkId }) => networkId === network.id);
      if (!isLive && container.spec.networks[network.name] === undefined)
        throw new Fault("conflict", `container ${container.id} is not connected to network ${network.name}`);
      if (isLive) {
        const isRunning = RUNNING.includes(container.state.status);
        await needs.networks
          .disconnect(container.id, network.id, isRunning ? container.state : undefined)
          .catch(async (thrown) => {
            if (!force) throw thrown;
            await needs.networks.disconnect(container.id, network.id);
          });
      }
      needs.containers.change(container.id, (current) => {
        const { [network.name]: _, ...networks } = current.spec.networks;
        return { ...current, spec: { ...current.spec, networks } };
      });
      if (isLive) announceNetwork(needs.events, network, "disconnect", { container: container.id });
      return {};
    },
  });
