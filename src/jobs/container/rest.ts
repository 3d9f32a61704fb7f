import type { Container } from "#container";
import type { Rooms } from "../rooms.ts";
import { type EndNeeds, endProcess, stopSignalOf, within } from "./end.ts";

export type RestNeeds = EndNeeds & {
  readonly containers: Pick<Rooms["containers"], "list" | "get">;
  readonly monitor: Pick<Rooms["monitor"], "committed" | "live" | "rest">;
  readonly settings: Pick<Rooms["settings"], "shutdownTimeoutSeconds" | "stopTimeoutSeconds">;
  readonly complain: Rooms["complain"];
};

/** What a container has beyond its own time to stop in, for what follows its end. Seconds. */
const GRACE = 5;

/**
 * Stops all containers because the daemon stops: each in the time that it has itself, all of them within the daemon's, or
 * within the longest of theirs. They are not marked as stopped by a person, so that their policies count at the next start.
 */
export async function restContainers(needs: RestNeeds): Promise<void> {
  needs.monitor.rest();
  const live = needs.containers.list().filter(({ id }) => needs.monitor.live(id) !== undefined);
  const timeoutOf = ({ spec }: Container) => spec.stopTimeoutSeconds ?? needs.settings.stopTimeoutSeconds;
  const ends = live.map((container) =>
    endProcess(needs, container, {
      signal: stopSignalOf(container),
      timeoutSeconds: timeoutOf(container),
    }).catch((thrown) => needs.complain(`Cannot stop container ${container.name}`, thrown)),
  );
  const own = live.map(timeoutOf);
  const isPatient = needs.settings.shutdownTimeoutSeconds < 0 || own.some((seconds) => seconds < 0);
  const seconds = Math.max(needs.settings.shutdownTimeoutSeconds, ...own.map((time) => time + GRACE));
  await within(Promise.all(ends), isPatient ? Number.POSITIVE_INFINITY : seconds * 1000);
}
