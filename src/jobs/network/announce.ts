import type { EventBus } from "#engine";
import type { Network } from "#network";

/** Publishes what happened to a network, in the shape of Docker's events. */
export function announceNetwork(
  events: Pick<EventBus, "publish">,
  { id, name, driver }: Pick<Network, "id" | "name" | "driver">,
  action: "create" | "destroy" | "connect" | "disconnect",
  attributes: Readonly<Record<string, string>> = {},
): void {
  events.publish({ type: "network", action, id, attributes: { ...attributes, name, type: driver } });
}
