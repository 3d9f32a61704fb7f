import type { Container } from "#container";
import type { Rooms } from "../rooms.ts";

export interface VolumeMountNeeds {
  readonly volumes: Pick<Rooms["volumes"], "mount" | "unmount">;
  readonly events: Pick<Rooms["events"], "publish">;
}

/**
 * Mounts the volumes of a container, and returns the container with the places where they are now. What was mounted
 * when one of them cannot be is unmounted again.
 */
export async function mountVolumes(needs: VolumeMountNeeds, container: Container): Promise<Container> {
  const places = new Map<string, string>();
  try {
    for (const name of volumesOf(container)) places.set(name, await needs.volumes.mount(name, container.id));
  } catch (thrown) {
    for (const name of places.keys()) await needs.volumes.unmount(name, container.id);
    throw thrown;
  }
  const mounts = container.mounts.map((mount) =>
    mount.name === undefined ? mount : { ...mount, source: places.get(mount.name) ?? mount.source },
  );
  for (const mount of mounts) if (mount.name !== undefined) announceMount(needs, container, mount);
  return { ...container, mounts };
}

/** At the end of a life; also of one that an earlier daemon began. What is not mounted is left as it is. */
export async function unmountVolumes(needs: VolumeMountNeeds, container: Container): Promise<void> {
  for (const name of volumesOf(container)) {
    await needs.volumes.unmount(name, container.id);
    const driver = container.mounts.find((mount) => mount.name === name)?.driver ?? "";
    const attributes = { driver, container: container.id };
    needs.events.publish({ type: "volume", action: "unmount", id: name, attributes });
  }
}

function volumesOf({ mounts }: Container): ReadonlySet<string> {
  return new Set(mounts.flatMap(({ name }) => name ?? []));
}

/** Source: Docker Engine API, GET /events; the names of the attributes are Docker's. */
function announceMount(
  needs: VolumeMountNeeds,
  container: Container,
  mount: Container["mounts"][number],
): void {
  const { name: id = "", driver = "", destination, isWritable, propagation } = mount;
  const attributes = {
    driver,
    container: container.id,
    destination,
    "read/write": String(isWritable),
    propagation,
  };
  needs.events.publish({ type: "volume", action: "mount", id, attributes });
}
