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
