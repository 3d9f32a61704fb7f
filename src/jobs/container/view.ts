import type { Container } from "#container";
import { Fault } from "#errors";
import type { LayerId } from "#graph";
import type { Digest } from "#oci";
import type { Rooms } from "../rooms.ts";
import type { ContainerView } from "../types.ts";
import { linkNames } from "./links.ts";

export interface ViewNeeds {
  readonly containers: Pick<Rooms["containers"], "find" | "get" | "links">;
  readonly networks: Pick<Rooms["networks"], "endpoints" | "list">;
  readonly execs: Pick<Rooms["execs"], "of">;
  readonly graph: {
    readonly images: Pick<Rooms["graph"]["images"], "find" | "get">;
    readonly driver: Pick<Rooms["graph"]["driver"], "size">;
  };
}

/** What a list shows of a container. */
export function viewOf(needs: ViewNeeds, container: Container): ContainerView {
  const { endpoints, ports } = needs.networks.endpoints(container.id);
  return {
    container,
    ...linkNames(needs, container),
    imageName: imageName(needs, container),
    endpoints,
    ports,
    ...(endpoints.length === 0 && { networkIds: networkIds(needs, container) }),
    execIds: needs.execs.of(container.id),
  };
}

/** Compose asks for them to see whether a container that rests is still on the right networks. */
function networkIds({ networks }: ViewNeeds, { spec, state }: Container): Readonly<Record<string, string>> {
  if (state.status === "created") return {};
  const found = Object.keys(spec.networks).flatMap((name) => {
    const id = networks.list().find((network) => network.name === name)?.id;
    return id === undefined ? [] : [[name, id] as const];
  });
  return Object.fromEntries(found);
}

/** As the user wrote it while that still means the same image; else its id. */
function imageName(needs: ViewNeeds, { spec, imageId }: Container): string {
  return needs.graph.images.find(spec.image)?.id === imageId ? spec.image : imageId;
}

/** Bytes of the writable layer, and of all of its layers. */
export async function sizesOf(
  needs: ViewNeeds,
  container: Container,
): Promise<{ readonly sizeRw: number; readonly sizeRootFs: number }> {
  const sizeRw = await needs.graph.driver.size(container.layer as LayerId).catch(zeroWhenGone);
  const image = needs.graph.images.get(container.imageId as Digest);
  return { sizeRw, sizeRootFs: sizeRw + (image?.size ?? 0) };
}

/** It was removed while it was looked at. */
function zeroWhenGone(thrown: unknown): number {
  if (thrown instanceof Fault && thrown.kind === "not_found") return 0;
  throw thrown;
}
