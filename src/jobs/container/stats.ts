import { z } from "zod";
import type { Container } from "#container";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Statistics } from "#exec";
import type { Rooms } from "../rooms.ts";

/** Milliseconds between two samples. Source: Docker Engine API, GET /containers/{id}/stats. */
const PERIOD = 1000;

interface Needs {
  readonly containers: Pick<Rooms["containers"], "find" | "get">;
  readonly monitor: Pick<Rooms["monitor"], "live" | "wait">;
}

interface Sample {
  readonly id: string;
  readonly name: string;
  readonly statistics?: Statistics;
  readonly previous?: Statistics;
}

/** Measures a container once a second. One that does not run gives an empty sample. */
export const containerStats = (needs: Needs) =>
  defineJob({
    name: "container.stats",
    input: z.object({ ref: z.string().min(1), stream: z.boolean(), oneShot: z.boolean() }),

    async run({ ref, stream, oneShot }, { signal }) {
      const container = needs.containers.find(ref);
      if (stream) return samples(needs, container, signal);
      return only(needs, container, { oneShot, signal });
    },
  });

/** Ends with the container's record. Across two lives there is no previous sample. */
async function* samples(needs: Needs, { id }: Container, signal: AbortSignal): AsyncGenerator<Sample> {
  let previous: Statistics | undefined;
  while (!signal.aborted) {
    const container = needs.containers.get(id);
    if (container === undefined) return;
    const statistics = await measure(needs, id);
    yield sample(container, statistics, previous);
    previous = statistics;
    await rest(signal);
  }
}

async function* only(
  needs: Needs,
  container: Container,
  { oneShot, signal }: { readonly oneShot: boolean; readonly signal: AbortSignal },
): AsyncGenerator<Sample> {
  const first = await measure(needs, container.id);
  if (oneShot || first === undefined) return yield sample(container, first);
  await rest(signal);
  yield sample(container, await measure(needs, container.id), first);
}

async function measure(needs: Needs, id: string): Promise<Statistics | undefined> {
  try {
    return await needs.monitor.live(id)?.statistics();
  } catch (thrown) {
    // It has ended while it was measured.
    if (thrown instanceof Fault && (thrown.kind === "conflict" || thrown.kind === "not_found"))
      return undefined;
    throw thrown;
  }
}

function sample(container: Container, statistics?: Statistics, previous?: Statistics): Sample {
  return {
    id: container.id,
    name: container.name,
    ...(statistics !== undefined && { statistics }),
    ...(previous !== undefined && { previous }),
  };
}

/** Settles after a second, or when the client has gone. */
function rest(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, PERIOD);
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise.finally(() => clearTimeout(timer));
}
