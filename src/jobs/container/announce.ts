import type { Container } from "#container";
import type { EventBus } from "#engine";
import type { Endpoint, Networks } from "#network";

export type Announce = (
  container: Container,
  action: string,
  attributes?: Readonly<Record<string, string>>,
) => void;

/** Publishes what happened to a container: its labels, image and name go along, as Docker's events have it. */
export function announcer(events: Pick<EventBus, "publish">): Announce {
  return (container, action, attributes = {}) =>
    events.publish({
      type: "container",
      action,
      id: container.id,
      attributes: {
        ...container.effective.labels,
        image: container.spec.image,
        name: container.name,
        ...attributes,
      },
    });
}

export function announceNetworks(
  events: Pick<EventBus, "publish">,
  action: "connect" | "disconnect",
  joined: {
    readonly containerId: string;
    readonly endpoints: readonly Endpoint[];
    readonly networks: Pick<Networks, "find">;
  },
): void {
  for (const { networkId, networkName } of joined.endpoints)
    events.publish({
      type: "network",
      action,
      id: networkId,
      attributes: {
        container: joined.containerId,
        name: networkName,
        type: joined.networks.find(networkId)?.driver ?? "",
      },
    });
}

/** At the end of a container's life: it leaves all networks that it is on by then. */
export function announceLeaving(
  needs: {
    readonly events: Pick<EventBus, "publish">;
    readonly networks: Pick<Networks, "endpoints" | "find">;
  },
  containerId: string,
): void {
  const { endpoints } = needs.networks.endpoints(containerId);
  announceNetworks(needs.events, "disconnect", { containerId, endpoints, networks: needs.networks });
}
