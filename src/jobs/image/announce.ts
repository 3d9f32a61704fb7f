import type { EventBus } from "#engine";
import type { ImageConfig } from "#oci";

type Action = "import" | "load" | "pull" | "push" | "save" | "tag" | "untag" | "delete";

/** Publishes what happened to an image; its labels go along, as Docker's events have it. */
export function announceImage(
  events: Pick<EventBus, "publish">,
  action: Action,
  image: { readonly id: string; readonly name: string; readonly config?: ImageConfig },
): void {
  const attributes = { ...image.config?.config?.Labels, name: image.name };
  events.publish({ type: "image", action, id: image.id, attributes });
}
