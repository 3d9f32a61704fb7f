import { z } from "zod";
import type { Container, EndpointSpec } from "#container";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import { checkEndpoint, endpointRequest } from "../container/endpoints.ts";
import { isContainerMode } from "../container/modes.ts";
import type { Rooms } from "../rooms.ts";
import { announceNetwork } from "./announce.ts";
import { requireNetwork } from "./find.ts";

export interface ConnectNeeds {
  readonly networks: Pick<Rooms["networks"], "connect" | "disconnect" | "find">;
  readonly containers: Pick<Rooms["containers"], "change" | "hold">;
  readonly events: Pick<Rooms["events"], "publish">;
}

export const RUNNING: readonly string[] = ["running", "paused"];

const Input = z.object({
  ref: z.string().min(1),
  container: z.string().min(1),
  endpoint: z.custom<EndpointSpec>((value) => typeof value === "object" && value !== null),
});

/** Puts a container on one more network: at once when it runs, and at each start from now on. */
export const connectNetwork = (needs: ConnectNeeds) =>
  defineJob({
    name: "network.connect",
    input: Input,

    async run({ ref, container: who, endpoint }, { signal }) {
      await using held = await needs.containers.hold(who, signal);
      const { container } = held;
      const network = requireNetwork(needs.networks, ref);
      if (["removing", "dead"].includes(container.state.status))
        throw new Fault(
          "conflict",
          `container ${container.id} is marked for removal and cannot be connected`,
        );
      requireOwnNamespace(container, network.name);
      checkEndpoint(network, endpoint);
      await using undo = new AsyncDisposableStack();
      if (RUNNING.includes(container.state.status)) {
        const request = endpointRequest(network.name, endpoint);
        await needs.networks.connect(container.id, request, container.state);
        undo.defer(async () => {
          await needs.networks.disconnect(container.id, network.id, container.state);
        });
      } else if (container.spec.networks[network.name] !== undefined)
        throw alreadyOn(container, network.name);
      needs.containers.change(container.id, (current) => ({
        ...current,
        spec: { ...current.spec, networks: { ...current.spec.networks, [network.name]: endpoint } },
      }));
      undo.move();
      if (RUNNING.includes(container.state.status))
        announceNetwork(needs.events, network, "connect", { container: container.id });
      return {};
    },
  });

function alreadyOn(container: Container, network: string): Fault {
  return new Fault("denied", `endpoint with name ${container.name} already exists in network ${network}`);
}

/** Throws `denied` in Docker's words when what the container has is the host's network, another's or none. */
export function requireOwnNamespace({ spec }: Container, network: string): void {
  const mode = spec.networkDisabled ? "none" : spec.host.networkMode;
  if (mode === "host" || network === "host")
    throw new Fault(
      "denied",
      "container cannot be disconnected from host network or connected to host network",
    );
  if (isContainerMode(mode))
    throw new Fault(
      "denied",
      "container sharing network namespace with another container or host cannot be connected to any other network",
    );
  if (mode === "none" || network === "none")
    throw new Fault(
      "denied",
      "container cannot be connected to multiple networks with one of the networks in private (none) mode",
    );
}
