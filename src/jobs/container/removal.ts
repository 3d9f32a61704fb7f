import { rm } from "node:fs/promises";
import { advance, type Container } from "#container";
import { Fault, sentenceOf } from "#errors";
import type { LayerId } from "#graph";
import type { Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";

export type RemovalNeeds = Pick<Rooms, "execs" | "events" | "attachments"> & {
  readonly containers: Pick<Rooms["containers"], "change" | "claimRemoval" | "hold" | "remove">;
  readonly monitor: Pick<Rooms["monitor"], "removed">;
  readonly networks: Pick<Rooms["networks"], "release">;
  readonly graph: { readonly driver: Pick<Rooms["graph"]["driver"], "has" | "remove"> };
  readonly volumes: Pick<Rooms["volumes"], "find" | "release" | "remove" | "usersOf">;
  readonly exec: Pick<Rooms["exec"], "forget">;
};

/**
 * Removes what is left of a container that has ended, with its anonymous volumes (`--rm`) unless told otherwise.
 * Quiet when somebody else already does.
 */
export function remover(needs: RemovalNeeds) {
  return async (id: string, { volumes = true }: { readonly volumes?: boolean } = {}): Promise<void> => {
    try {
      using claim = needs.containers.claimRemoval(id);
      await using held = await needs.containers.hold(claim.id);
      await removeHeld(needs, held.container, { volumes });
    } catch (thrown) {
      if (!(thrown instanceof Fault && (thrown.kind === "conflict" || thrown.kind === "not_found")))
        throw thrown;
    }
  };
}

/**
 * Removes all there is of a container that does not run and that the caller holds. Its row goes last: until then
 * it can be removed again, as `dead`. Everything it does may have been done before.
 */
export async function removeHeld(
  needs: RemovalNeeds,
  container: Container,
  { volumes }: { readonly volumes: boolean },
): Promise<void> {
  const { id } = container;
  const removing = needs.containers.change(
    id,
    (current) => ({ ...current, state: { ...current.state, status: leaving(current) } }),
    { durable: false },
  );
  try {
    await needs.networks.release(id);
    await needs.exec.forget(id);
    const layer = container.layer as LayerId;
    if (await needs.graph.driver.has(layer)) await needs.graph.driver.remove(layer);
    await rm(container.directory, { recursive: true, force: true });
    needs.volumes.release(id);
    if (volumes) await removeAnonymous(needs, container);
  } catch (cause) {
    throw failed(needs, container, cause);
  }
  needs.containers.remove(id);
  needs.execs.forget(id);
  needs.attachments.refuse(id, new Fault("not_found", `No such container: ${id}`));
  announcer(needs.events)(removing, "destroy");
  needs.monitor.removed(id, { code: container.state.exitCode });
}

/** One that a crash has left half removed is on the way already. */
function leaving({ state }: Container): Container["state"]["status"] {
  return state.status === "removing" ? "removing" : advance(state.status, "remove");
}

function failed(needs: RemovalNeeds, container: Container, cause: unknown): Fault {
  const reason = sentenceOf(cause);
  needs.containers.change(
    container.id,
    (current) => ({
      ...current,
      state: { ...current.state, status: advance(current.state.status, "fail-removal"), error: reason },
    }),
    { durable: false },
  );
  return new Fault("internal", `Cannot remove container ${container.name}: ${reason}; remove it again`, {
    cause,
  });
}

/** Those that nobody else has come to use. */
async function removeAnonymous(needs: RemovalNeeds, container: Container): Promise<void> {
  for (const { name, isAnonymous } of container.mounts) {
    if (!isAnonymous || name === undefined || needs.volumes.usersOf(name).length > 0) continue;
    const driver = needs.volumes.find(name)?.driver;
    if (driver === undefined) continue;
    await needs.volumes.remove(name);
    needs.events.publish({ type: "volume", action: "destroy", id: name, attributes: { driver } });
  }
}
