import { type EventMessage, isAtLeast } from "#api";
import type { EngineEvent } from "#jobs";

/** One event. Below API 1.52 those of containers and images repeat themselves in the fields of old. */
export function toEventMessage(event: EngineEvent, version: string): EventMessage {
  return {
    ...(!isAtLeast(version, "1.52") && legacyFields(event)),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.id, Attributes: event.attributes },
    scope: "local",
    time: Number(event.timeNano / 1_000_000_000n),
    timeNano: event.timeNano,
  };
}

function legacyFields({ type, action, id, attributes }: EngineEvent) {
  if (type === "image") return { status: action, id };
  if (type !== "container") return {};
  return { status: action, id, ...(attributes.image !== undefined && { from: attributes.image }) };
}
